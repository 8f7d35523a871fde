import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { expect, test, vi } from 'vitest'
import { execute, rows } from '../../../src/database/connect.ts'
import { oneTierCampaign } from '../../support/campaign.ts'
import { zoneAtNoon } from '../../support/noon.ts'
import { startSmtp } from '../../support/smtp.ts'
import { untilWaiting } from '../../support/waiting.ts'
import { openCliShop, run } from '../command.ts'

/** Held by the test for as long as nothing is to be settled. */
const SETTLING = 4711

test('interrupted while it sends, it settles what went out, and leaves nobody in doubt', async () => {
  const { database, here } = await openCliShop()
  const server = await startSmtp()
  const file = join(here.cwd, 'winback.yaml')
  const workspace = (await readFile(file, 'utf8'))
    .replace(/port: 1025/, `port: ${server.port}`)
    .replace(/host: "\$\{SMTP_HOST[^"]*"/, `host: ${server.host}`)
    .replace('timezone: UTC', `timezone: ${zoneAtNoon().zone}`)
  await writeFile(file, workspace)
  const campaign = oneTierCampaign('spring', ['{ id: remind, channel: email, template: come-back }'])
  await writeFile(join(here.cwd, 'campaigns', 'spring.yaml'), campaign)
  const people = Array.from({ length: 120 }, (_, at) => `c${at}`)
  const day = (ago: number) => new Date(Date.now() - ago * 86_400_000).toISOString()
  const put = (name: string, lines: readonly string[]) =>
    writeFile(join(here.cwd, name), lines.map((line) => `${line}\n`).join(''))
  await put('people.csv', ['external_id,email', ...people.map((id) => `${id},${id}@example.com`), 'new,'])
  await put('seen.csv', [
    'external_id,type,occurred_at',
    ...people.map((id) => `${id},session,${day(4)}`),
    `new,session,${day(0.1)}`,
  ])
  for (const args of [
    ['import', 'contacts', 'people.csv'],
    ['import', 'activity', 'seen.csv'],
    ['apply', 'spring'],
  ])
    expect(await run(args, here)).toMatchObject({ code: 0 })
  await execute(
    database,
    sql`CREATE FUNCTION wait_to_settle() RETURNS trigger LANGUAGE plpgsql AS ${sql.raw(
      `$$ BEGIN PERFORM pg_advisory_xact_lock(${SETTLING}); RETURN NEW; END $$`,
    )}`,
  )
  await execute(
    database,
    sql`CREATE TRIGGER wait BEFORE INSERT ON touchpoint_records FOR EACH ROW EXECUTE FUNCTION wait_to_settle()`,
  )
  const holder = await database.client.connect()
  await holder.query(`SELECT pg_advisory_lock(${SETTLING})`)
  const interrupt = new AbortController()
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  try {
    const ran = run(['run', 'spring'], here, interrupt.signal)
    await Promise.race([untilWaiting(database), ran.then((early) => expect(early).toBe('waiting'))])
    interrupt.abort('SIGINT')
    await vi.advanceTimersByTimeAsync(500)
    // Time for whoever would cancel what waits.
    for (let asked = 0; asked < 30; asked += 1) await holder.query('SELECT')
    await holder.query(`SELECT pg_advisory_unlock(${SETTLING})`)
    const { code, stderr } = await ran
    expect({ code, stderr }).toMatchObject({ code: 130, stderr: expect.stringContaining('interrupted') })
  } finally {
    vi.useRealTimers()
    holder.release()
    await server.stop()
  }
  const states = async (table: string) =>
    await rows<{ state: string; number: number }>(
      database,
      sql`SELECT state, count(*)::int AS number FROM ${sql.identifier(table)} GROUP BY state`,
    )
  const sent = server.messages.length
  expect(sent).toBeGreaterThan(0)
  expect(sent).toBeLessThan(people.length)
  expect(await states('touchpoint_records')).toEqual([{ state: 'sent', number: sent }])
  expect(await states('touchpoints')).toEqual([{ state: 'planned', number: people.length - sent }])
})
