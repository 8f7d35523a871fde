import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { openLanes } from '../../../src/contacts/files/lanes.ts'
import { execute, rows } from '../../../src/database/connect.ts'
import { freshDatabase } from '../../support/database.ts'
import { eventually } from '../../support/eventually.ts'

const keys = (...names: string[]) => new Map(names.map((name) => [name, true]))
const gate = () => {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { open, opened }
}

it('does two pieces at once, but never two with a key in common', async () => {
  const database = await freshDatabase()
  const lanes = await openLanes(database, 2)
  const log: string[] = []
  const [first, second] = [gate(), gate()]
  const piece = (name: string, wait: Promise<void>, ...names: string[]) => ({
    keys: keys(...names),
    run: async () => {
      log.push(`${name} begins`)
      await wait
    },
    done: () => log.push(`${name} done`),
  })
  await lanes.begin(piece('a', first.opened, 'x', 'y'))
  await lanes.begin(piece('b', second.opened, 'z'))
  second.open()
  await eventually(
    'b is done',
    () => log,
    (said) => said.includes('b done'),
  )
  let begun = false
  const third = lanes.begin(piece('c', Promise.resolve(), 'y')).then(() => {
    begun = true
  })
  await rows(database, sql`SELECT 1`)
  expect(begun).toBe(false)
  first.open()
  await third
  await lanes.finish()
  await lanes.close()
  expect(log.indexOf('b begins')).toBeLessThan(log.indexOf('a done'))
  expect(log.indexOf('c begins')).toBeGreaterThan(log.indexOf('a done'))
  expect(database.client.idleCount).toBe(database.client.totalCount)
})

it('tries again what another transaction was in the way of, and undoes the first try', async () => {
  const database = await freshDatabase()
  const lanes = await openLanes(database, 1)
  let tries = 0
  await lanes.begin({
    run: async (tx) => {
      tries += 1
      await execute(tx, sql`INSERT INTO external_ids VALUES ('once', 1)`)
      if (tries === 1) await execute(tx, sql`INSERT INTO external_ids VALUES ('once', 2)`)
      return tries
    },
    done: (result) => expect(result).toBe(2),
  })
  await lanes.finish()
  await lanes.close()
  expect(await rows(database, sql`SELECT * FROM external_ids`)).toEqual([
    { external_id: 'once', contact_id: 1 },
  ])
})

it('says what a piece failed with, at the next or at the end, and gives its connections back', async () => {
  const database = await freshDatabase()
  const lanes = await openLanes(database, 2)
  const failing = {
    run: async () => {
      throw new Error('no')
    },
    done: () => {},
  }
  await lanes.begin(failing)
  await expect(lanes.finish()).rejects.toThrow('no')
  await expect(lanes.begin(failing)).rejects.toThrow('no')
  await lanes.close()
  expect(database.client.idleCount).toBe(database.client.totalCount)
  await expect(openLanes(database, 2, failing.run)).rejects.toThrow('no')
  expect(database.client.idleCount).toBe(database.client.totalCount)
})
