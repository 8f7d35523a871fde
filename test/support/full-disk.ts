import { sql } from 'drizzle-orm'
import { type Database, execute } from '../../src/database/connect.ts'

/** Does `work` while nothing can be added to a table, as where the disk is full. */
export async function withFullDisk(
  database: Database,
  table: string,
  work: () => Promise<void>,
): Promise<void> {
  await execute(
    database,
    sql`CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no room'; END $$`,
  )
  await execute(
    database,
    sql`CREATE TRIGGER full_disk BEFORE INSERT ON ${sql.identifier(table)}
        FOR EACH ROW EXECUTE FUNCTION full_disk()`,
  )
  try {
    await work()
  } finally {
    await execute(database, sql`DROP FUNCTION full_disk CASCADE`)
  }
}
