import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { expect, test, vi } from 'vitest'
import { rows } from '../../src/database/connect.ts'
import { createApiKey } from '../../src/web/api-keys.ts'
import { openCliShop, startBuilt, webOf } from '../cli/command.ts'

// Four processes start one after another: on a busy machine, that alone is most of a minute.
vi.setConfig({ testTimeout: 180_000 })

// The web process is killed while it takes events. What it answered is there; what it did not is sent again.

const BATCHES = 100
const SIZE = 50

test('kill -9 during ingest loses nothing that was accepted, and doubles nothing', async () => {
  const { database, here } = await openCliShop()
  const file = join(here.cwd, 'winback.yaml')
  await writeFile(file, `${await readFile(file, 'utf8')}\nweb: { port: 0 }\n`)
  const { text } = await createApiKey(database, {
    name: 'test',
    scopes: ['events:write'],
    now: new Date(),
    by: 'test',
  })
  const send = async (address: string, batch: number): Promise<boolean> => {
    const calls = Array.from({ length: SIZE }, (_, n) => ({
      type: 'track',
      userId: `u${(batch * SIZE + n) % 97}`,
      event: 'session',
      messageId: `m${batch * SIZE + n}`,
    }))
    return await fetch(`${address}/v1/batch`, {
      method: 'POST',
      headers: { authorization: `Bearer ${text}` },
      body: JSON.stringify({ batch: calls }),
    }).then(
      (answer) => answer.ok,
      () => false,
    )
  }
  let open = Array.from({ length: BATCHES }, (_, batch) => batch)
  const answered = new Set<number>()
  for (const killAfter of [10, 30, BATCHES]) {
    const web = startBuilt(['web'], here)
    const address = await webOf(web)
    const queue = [...open]
    let killed = false
    const client = async () => {
      for (let batch = queue.shift(); batch !== undefined; batch = queue.shift()) {
        if (await send(address, batch)) answered.add(batch)
        if (!killed && answered.size >= killAfter && killAfter < BATCHES) {
          killed = true
          web.kill('SIGKILL')
        }
      }
    }
    await Promise.all(Array.from({ length: 8 }, client))
    const known = await rows<{ day: string }>(database, sql`SELECT FROM activity`)
    expect(known.length).toBeGreaterThanOrEqual(answered.size * SIZE)
    open = open.filter((batch) => !answered.has(batch))
    if (killAfter < BATCHES) expect(open.length).toBeGreaterThan(0)
    if (!killed) web.kill('SIGINT')
    await web.ended
  }
  expect(open).toEqual([])
  const [found] = await rows(
    database,
    sql`SELECT count(*) AS events, count(DISTINCT key) AS different FROM activity`,
  )
  expect(found).toEqual({ events: BATCHES * SIZE, different: BATCHES * SIZE })
  const [summed] = await rows(
    database,
    sql`SELECT sum(activity_count)::int AS events, (SELECT sum(events)::int FROM feed_days) AS fed FROM contact_activity`,
  )
  expect(summed).toEqual({ events: BATCHES * SIZE, fed: BATCHES * SIZE })
})
