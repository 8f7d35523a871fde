import { execFileSync } from 'node:child_process'
import {
  closeSync,
  existsSync,
  lstatSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { sql } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import { openRejects } from '../../../src/contacts/files/rejects.ts'
import { importActivity, importContacts } from '../../../src/contacts/import.ts'
import { rows } from '../../../src/database/connect.ts'
import { emptiedDatabase } from '../../support/emptied.ts'
import { file, options } from '../files.ts'

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

  it('may be a link of the system to where this process writes, or a pipe: neither is taken away', async () => {
    const database = await emptiedDatabase()
    const path = file('a.csv', ROWS)
    const pipe = join(dirname(path), 'pipe.csv')
    execFileSync('mkfifo', [pipe])
    // Opened both ways, so that nobody waits for the other end.
    const reader = openSync(pipe, 'r+')
    const leading = join(dirname(path), 'leading.csv')
    symlinkSync(pipe, leading)
    for (const rejectFile of [pipe, leading]) {
      await importContacts(database, path, options({ rejectFile }))
      expect(lstatSync(pipe).isFIFO()).toBe(true)
      const written = Buffer.alloc(200)
      expect(written.toString('utf8', 0, readSync(reader, written))).toContain('there is no external_id')
    }
    closeSync(reader)
    expect(lstatSync(leading).isSymbolicLink()).toBe(true)
  })

  it('is known from the beginning: a process that is killed says no more of it', async () => {
    const database = await emptiedDatabase()
    const path = file(
      'e.csv',
      'external_id,type,occurred_at\na,order,2026-02-01T00:00:00Z\n,order,2026-02-01\n',
    )
    let meanwhile: unknown
    const onActivity = async () => {
      meanwhile = await rows(database, sql`SELECT reject_file FROM imports`)
    }
    await importActivity(database, path, options({ hooks: { onActivity } }))
    expect(meanwhile).toEqual([{ reject_file: `${path}.rejects.csv` }])
    await importContacts(database, file('b.csv', 'external_id\nd\n'), options())
    expect(await rows(database, sql`SELECT reject_file FROM imports ORDER BY import_id`)).toEqual([
      { reject_file: `${path}.rejects.csv` },
      { reject_file: null },
    ])
  })

  it('goes on in the file that an erasure has put in its place', () => {
    const path = file('bad.csv', '')
    const rejects = openRejects(path)
    rejects.reject(1, 'first', 'a')
    writeFileSync(`${path}.erasing`, 'line,reason,row\n')
    renameSync(`${path}.erasing`, path)
    rejects.reject(2, 'second', 'b')
    rejects.close()
    expect(readFileSync(path, 'utf8')).toBe('line,reason,row\n2,second,b\n')
  })
})
