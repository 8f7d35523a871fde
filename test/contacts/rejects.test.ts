import { existsSync, lstatSync, readFileSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { sql } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import { importContacts } from '../../src/contacts/import.ts'
import { rows } from '../../src/database/connect.ts'
import { emptiedDatabase } from '../support/emptied.ts'
import { file, options } from './files.ts'

const ROWS = 'external_id,email\na,a@example.com\n,b@example.com\nc,c@example.com\n'

describe('the file of bad rows', () => {
  it('is never the file that is imported, by whatever name', async () => {
    const database = await emptiedDatabase()
    const path = file('a.csv', ROWS)
    const link = join(dirname(path), 'b.csv')
    symlinkSync(path, link)
    for (const rejectFile of [path, link]) {
      await expect(importContacts(database, path, options({ rejectFile }))).rejects.toMatchObject({
        code: 'import.options',
        message: expect.stringContaining('bad rows would be written over'),
      })
    }
    expect(readFileSync(path, 'utf8')).toBe(ROWS)
  })

  it('is said to be unwritable at its first row, with what to do; what was taken in stays', async () => {
    const database = await emptiedDatabase()
    const path = file('a.csv', ROWS)
    // By a link: nothing here removes the device itself.
    const device = join(dirname(path), 'full.csv')
    symlinkSync('/dev/full', device)
    const full = existsSync('/dev/full') ? [[device, 'the disk is full'] as const] : []
    const missing = join(dirname(path), 'no', 'such.csv')
    for (const [rejectFile, why] of [[missing, 'there is no such folder'] as const, ...full]) {
      await expect(importContacts(database, path, options({ rejectFile }))).rejects.toMatchObject({
        code: 'import.rejects',
        message: `${rejectFile} cannot be written, where the bad rows go: ${why}`,
        remedy: expect.stringContaining('--reject-file'),
      })
    }
    await expect(importContacts(database, path, options({ rejectFile: dirname(path) }))).rejects.toThrow(
      'it is a folder',
    )
    expect(await rows(database, sql`SELECT DISTINCT rows, rejected, finished_at FROM imports`)).toEqual([
      { rows: 2, rejected: 1, finished_at: null },
    ])
    expect(await importContacts(database, path, options())).toMatchObject({ rows: 3, rejected: 1 })
  })

  it('may be a device, which stays', async () => {
    const database = await emptiedDatabase()
    const path = file('a.csv', ROWS)
    const rejectFile = join(dirname(path), 'null.csv')
    symlinkSync('/dev/null', rejectFile)
    await importContacts(database, path, options({ rejectFile }))
    expect(lstatSync(rejectFile).isSymbolicLink()).toBe(true)
  })
})
