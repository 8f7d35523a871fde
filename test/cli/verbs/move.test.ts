import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { expect, test, vi } from 'vitest'
import { execute, rows } from '../../../src/database/connect.ts'
import { emptyDatabase } from '../../support/database.ts'
import { untilWaiting } from '../../support/waiting.ts'
import { openCliShop, run } from '../command.ts'

test('a workspace moves to another database, goes on there, and is paused where it was', async () => {
  const { database, here } = await openCliShop()
  const target = await emptyDatabase()
  const env = { ...here.env, NEW_DATABASE_URL: target.url }
  const there = { cwd: here.cwd, env: { DATABASE_URL: target.url } }
  await writeFile(join(here.cwd, 'people.csv'), 'external_id,email\nu1,u1@example.com\nu2,u2@example.com\n')
  await run(['import', 'contacts', 'people.csv'], here)
  await run(['apply'], here)

  const moved = await run(['move', '--json'], { cwd: here.cwd, env })
  expect({ ...moved, stdout: JSON.parse(moved.stdout) }).toMatchObject({
    code: 0,
    stderr: '',
    stdout: { schema: 'winback', to: expect.stringMatching(/^[^@]+$/) },
  })
  expect((await run(['import', 'contacts', 'people.csv', '--locale', 'en'], there)).stdout).toContain(
    '2 known already',
  )
  expect((await run(['apply', '--locale', 'en'], there)).stdout).toContain('unchanged')
  expect(await rows(target, sql`SELECT FROM switches`)).toEqual([])
  expect(await rows(database, sql`SELECT state, reason FROM switches`)).toEqual([
    { state: 'paused', reason: expect.stringMatching(/^moved to /) },
  ])

  const again = await run(['move', '--locale', 'zh-CN'], { cwd: here.cwd, env })
  expect(again).toMatchObject({
    code: 4,
    stderr: expect.stringContaining('there is a workspace in the schema'),
  })
})

test('interrupted once everything is copied, it still pauses what it leaves: both would write to everybody', async () => {
  const { database, here } = await openCliShop()
  const target = await emptyDatabase()
  await run(['apply'], here)
  const lock = 4712
  await execute(
    database,
    sql`CREATE FUNCTION wait_to_pause() RETURNS trigger LANGUAGE plpgsql AS ${sql.raw(
      `$$ BEGIN PERFORM pg_advisory_xact_lock(${lock}); RETURN NEW; END $$`,
    )}`,
  )
  await execute(
    database,
    sql`CREATE TRIGGER wait BEFORE INSERT ON switches FOR EACH ROW EXECUTE FUNCTION wait_to_pause()`,
  )
  const holder = await database.client.connect()
  await holder.query(`SELECT pg_advisory_lock(${lock})`)
  const interrupt = new AbortController()
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  try {
    const moving = run(
      ['move'],
      { cwd: here.cwd, env: { ...here.env, NEW_DATABASE_URL: target.url } },
      interrupt.signal,
    )
    await Promise.race([untilWaiting(database), moving.then((early) => expect(early).toBe('waiting'))])
    interrupt.abort('SIGINT')
    await vi.advanceTimersByTimeAsync(500)
    // Time for whoever would cancel what waits.
    for (let asked = 0; asked < 30; asked += 1) await holder.query('SELECT')
    await holder.query(`SELECT pg_advisory_unlock(${lock})`)
    expect(await moving).toMatchObject({ code: 0 })
  } finally {
    vi.useRealTimers()
    holder.release()
  }
  expect(await rows(database, sql`SELECT state FROM switches`)).toEqual([{ state: 'paused' }])
})

test('where to is said in a way that keeps the password', async () => {
  const { here } = await openCliShop()
  const missing = await run(['move'], here)
  expect(missing).toMatchObject({ code: 2, stderr: expect.stringContaining('Set NEW_DATABASE_URL') })
  const wrong = await run(['move', 'mysql://root:topsecret@db/shop'], here)
  expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('wants a url of PostgreSQL') })
  expect(wrong.stderr).not.toContain('topsecret')
  const away = await run(['move', 'postgres://root:topsecret@127.0.0.1:1/shop'], here)
  expect(away).toMatchObject({ code: 3, stderr: expect.stringContaining('the new database: ') })
  expect(away.stderr).not.toContain('topsecret')
})
