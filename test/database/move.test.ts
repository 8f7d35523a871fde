import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect, type Database, execute, rows } from '../../src/database/connect.ts'
import { migrate } from '../../src/database/migrate.ts'
import { moveDatabase } from '../../src/database/move.ts'
import { openRuntime } from '../../src/service/runtime.ts'
import { processBatch } from '../../src/touchpoints/batch.ts'
import { dispatchDue } from '../../src/touchpoints/dispatch.ts'
import { clock, closeCalling, openCalling, shop, work } from '../support/calling.ts'
import { emptyDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'

// A workspace whose people are partly called, goes on somewhere else.

let source: Database
let target: Database

/** Every table of a schema with a hash over all its rows. */
async function contentOf(database: Database): Promise<Record<string, string>> {
  const tables = await rows<{ name: string }>(
    database,
    sql`SELECT relname AS name FROM pg_class WHERE relnamespace = current_schema()::regnamespace
        AND relkind IN ('r', 'p') AND relname <> '__drizzle_migrations' ORDER BY 1`,
  )
  const content: Record<string, string> = {}
  for (const { name } of tables) {
    const [found] = await rows<{ all: string }>(
      database,
      sql`SELECT count(*) || ' ' || md5(coalesce(string_agg(t::text, E'\n' ORDER BY t::text), '')) AS all
          FROM ${sql.identifier(name)} t`,
    )
    content[name] = found?.all ?? ''
  }
  return content
}

const sequencesOf = (database: Database) =>
  rows(
    database,
    sql`SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = current_schema() ORDER BY 1`,
  )

const triggersOf = (database: Database) =>
  rows(
    database,
    sql`SELECT tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal AND tgparentid = 0 AND tgrelid IN (
          SELECT oid FROM pg_class WHERE relnamespace = current_schema()::regnamespace) ORDER BY 1`,
  )

beforeAll(async () => {
  await openCalling(3)
  source = shop.database
  await shop.importActivity([{ external_id: 'u3', type: 'session', occurred_at: '2025-11-30T00:00:00Z' }])
  await execute(
    source,
    sql`INSERT INTO users (name, role, created_at, created_by)
    VALUES ('mei', 'operator', now(), 'test')`,
  )
  // Text that COPY has to spell.
  await execute(
    source,
    sql`UPDATE contacts SET attributes = ${JSON.stringify({ note: 'a\tb\\c\n\\N "q"' })}::jsonb WHERE external_id = 'u1'`,
  )
})

afterAll(closeCalling)

describe('a move to another database', () => {
  it('brings over every row, goes on with the ids, and leaves the triggers at work', async () => {
    target = await emptyDatabase()
    const before = await contentOf(source)
    const seen: string[] = []
    const moved = await moveDatabase(source, target, {
      onProgress: (bytes, total, table) => {
        expect(bytes).toBeLessThanOrEqual(total)
        seen.push(table)
      },
    })
    expect(await contentOf(target)).toEqual(before)
    expect(await contentOf(source)).toEqual(before)
    expect(Object.keys(before)).toContain('activity_2025_11')
    expect(moved.tables).toContainEqual({ table: 'contacts', rows: 3 })
    expect(moved.tables).toContainEqual({ table: 'touchpoints', rows: 1 })
    expect(seen).toContain('touchpoints')
    expect(await sequencesOf(target)).toEqual(await sequencesOf(source))
    expect(await triggersOf(target)).toEqual(await triggersOf(source))
  })

  it('goes on there: who waited for a call today is called tomorrow, and nobody twice', async () => {
    const { workspace } = shop.runtime
    const runtime = await openRuntime({
      ...{ database: target, workspace, clock },
      channels: shop.runtime.worker.channels,
    })
    clock.advance(86_400)
    await dispatchDue(target, { now: clock.now(), jobs: 100 }, async (batch) => {
      await processBatch(runtime.worker, batch)
    })
    await work()
    const called = (database: Database) =>
      rows(database, sql`SELECT contact_id, touchpoint_id, script FROM calls ORDER BY contact_id`)
    expect(await called(target)).toHaveLength(3)
    expect(await called(target)).toEqual(await called(source))
  })

  it('is into nothing that is there', async () => {
    await expect(moveDatabase(source, target)).rejects.toMatchObject({ code: 'move.occupied' })
    await expect(moveDatabase(source, source)).rejects.toMatchObject({ code: 'move.occupied' })
    const prepared = await emptyDatabase()
    await migrate(prepared)
    await expect(moveDatabase(source, prepared)).resolves.toMatchObject({ tables: expect.any(Array) })
    expect(await contentOf(prepared)).toEqual(await contentOf(source))
  })

  it('waits for nobody who is still at work', async () => {
    const other = connect(source.url, { applicationName: 'winback 7 0a1b2c3d4e5f' })
    await rows(other, sql`SELECT`)
    const empty = await emptyDatabase()
    await expect(moveDatabase(source, empty)).rejects.toMatchObject({
      code: 'move.busy',
      message: 'another process of Winback is at work on this database',
    })
    await other.close()
  })

  it('moves nothing where something was done here while it was copied: it would be lost', async () => {
    const empty = await emptyDatabase()
    await migrate(empty)
    /** What is done once the copy has seen the source. */
    const moveWhile = async (work: () => Promise<unknown>) => {
      const holder = await empty.aside.client.connect()
      try {
        await holder.query('BEGIN; LOCK TABLE contacts IN ROW EXCLUSIVE MODE')
        const moving = moveDatabase(source, empty)
        await eventually(
          'the copy waits for the lock',
          () => rows(empty, sql`SELECT FROM pg_locks WHERE NOT granted AND relation = 'contacts'::regclass`),
          (waiting) => waiting.length > 0,
        )
        await work()
        await holder.query('COMMIT')
        await moving
      } finally {
        holder.release()
      }
    }
    const begun = connect(source.url, { applicationName: 'winback 8 0a1b2c3d4e5f' })
    await expect(moveWhile(() => rows(begun, sql`SELECT`))).rejects.toMatchObject({ code: 'move.busy' })
    await begun.close()
    const enter = sql`INSERT INTO audit (at, actor, via, action) VALUES (now(), 'cron', 'cli', 'data.import')`
    await expect(moveWhile(() => execute(source, enter))).rejects.toMatchObject({
      code: 'move.busy',
      message: 'another command changed this database while it was copied',
    })
    expect(await rows(empty, sql`SELECT FROM contacts`)).toEqual([])
  })

  it('leaves nothing where it fails, and may be tried again', async () => {
    const empty = await emptyDatabase()
    await migrate(empty)
    await execute(empty, sql`ALTER TABLE stages ADD CONSTRAINT none CHECK (tier_no < 0)`)
    await expect(moveDatabase(source, empty)).rejects.toMatchObject({
      code: 'move.failed',
      message: expect.stringMatching(/^stages could not be copied: .*none/),
    })
    expect(await rows(empty, sql`SELECT FROM contacts`)).toEqual([])
    await execute(empty, sql`ALTER TABLE stages DROP CONSTRAINT none`)
    await moveDatabase(source, empty)
    expect(await contentOf(empty)).toEqual(await contentOf(source))
  })
})
