import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { execute } from '../../src/database/connect.ts'
import { testChannel } from '../support/channel.ts'
import { freshDatabase } from '../support/database.ts'
import { DAY, openPipeline, START } from '../support/pipeline.ts'

it.each([
  ['disk_full', 'its disk is full'],
  ['out_of_memory', 'it has no memory'],
  ['query_canceled', 'a limit of time ended the statement'],
  ['lock_not_available', 'a limit of time ended the wait for a lock'],
])(
  'what a worker knows of its sends is not lost to a database that refuses it for a while: %s',
  async (code) => {
    const channel = testChannel('email', { idempotent: false })
    const pipeline = await openPipeline({
      tiers: [{ name: 'only', from: 3 * DAY, to: null, steps: [{ id: 'remind' }] }],
      channel,
      database: await freshDatabase(),
    })
    for (let made = 0; made < 3; made += 1)
      await pipeline.addContact({ silentSince: new Date(START.getTime() - 4 * DAY * 1000) })
    await pipeline.runNow()
    // Counted by a sequence, which no rollback takes back.
    await execute(pipeline.database, sql`CREATE SEQUENCE refused`)
    await execute(
      pipeline.database,
      sql`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF nextval('refused') <= 2 THEN RAISE EXCEPTION 'not now' USING ERRCODE = ${sql.raw(`'${code}'`)}; END IF;
        RETURN NULL;
      END $$`,
    )
    await execute(
      pipeline.database,
      sql`CREATE TRIGGER refuse AFTER INSERT ON touchpoint_records EXECUTE FUNCTION refuse()`,
    )
    await pipeline.work()
    expect(channel.sent).toHaveLength(3)
    expect((await pipeline.records()).map(({ state }) => state)).toEqual(['sent', 'sent', 'sent'])
  },
)
