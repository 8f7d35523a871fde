import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { sql } from 'drizzle-orm'
import { addressHashSql } from '../src/contacts/addresses.ts'
import { type Database, execute } from '../src/database/connect.ts'
import { settingsOf } from '../src/database/migrate.ts'
import { NOW } from './workspace.ts'

// People who do not exist: everyone silent for 3 to 180 days, alike in every run.

/** Zones in which it is between nine and nine when it is nine in UTC. */
const ZONES = Intl.supportedValuesOf('timeZone').filter((zone) => {
  const hour = Number(
    new Intl.DateTimeFormat('en', { timeZone: zone, hour: 'numeric', hourCycle: 'h23' }).format(NOW),
  )
  return hour >= 9 && hour < 21
})

/**
 * Writes contacts 1 … count with all that belongs to them.
 * @param silence days, [from, to): contacts are spread evenly
 */
export async function fillContacts(
  database: Database,
  count: number,
  silence: { from: number; to: number },
): Promise<void> {
  const { addressKey } = await settingsOf(database)
  const key = (email: ReturnType<typeof sql>) => addressHashSql(addressKey, 'email', email)
  const email = sql`'u' || n || '@example.com'`
  await execute(
    database,
    sql`
    INSERT INTO contacts (contact_id, person_id, external_id, email, email_key, locale, timezone, signed_up_at,
      attributes, attributes_at, imported_at)
    OVERRIDING SYSTEM VALUE
    SELECT n, n, 'u' || n, ${email}, ${key(email)}, 'en',
      (${sql.param(ZONES)}::text[])[1 + n % ${ZONES.length}::int], ${NOW}::timestamptz - interval '400 days',
      jsonb_build_object('status', 'active', 'first_name', 'Person ' || n, 'cart_items', n % 5, 'plan', 'basic'),
      jsonb_build_object('first_name', ${NOW.getTime() / 1000 - 3600}::float8::int8,
        'cart_items', ${NOW.getTime() / 1000 - 3600}::float8::int8), ${NOW}
    FROM generate_series(1, ${count}::int) AS n`,
  )
  await execute(database, sql`SELECT setval('contacts_contact_id_seq', ${count + 1000}::bigint)`)
  await execute(database, sql`INSERT INTO external_ids SELECT external_id, contact_id FROM contacts`)
  // 7919 is prime to the span: neighbours by id are not neighbours by silence.
  await execute(
    database,
    sql`
    INSERT INTO contact_activity (contact_id, silent_since, last_active_at, first_active_at, activity_count,
      orders_count, orders_total, first_order_at, last_order_at)
    SELECT n, at, at, at - interval '200 days', 1 + n % 40, n % 7, (n % 7) * 90000000::bigint, at - interval '200 days', at
    FROM generate_series(1, ${count}::int) AS n
    CROSS JOIN LATERAL (SELECT ${NOW}::timestamptz - make_interval(
      secs => ${silence.from * 86_400}::float8 + (n::int8 * 7919) % ${Math.round((silence.to - silence.from) * 86_400)}::int8) AS at) AS since`,
  )
}

/** Suppressed addresses that belong to nobody here, and switches that are off for others. */
export async function fillGuards(database: Database, suppressions: number): Promise<void> {
  await execute(
    database,
    sql`INSERT INTO suppressions (kind, key, reason, source, suppressed_at)
      SELECT 'email', sha256(convert_to('gone' || n, 'UTF8')), 'unsubscribe', 'bench', ${NOW}
      FROM generate_series(1, ${suppressions}::int) AS n`,
  )
  await execute(
    database,
    sql`INSERT INTO switches (scope, name, state, reason, since) VALUES
      ('campaign', 'another', 'paused', 'bench', ${NOW}), ('channel', 'email', 'paused', 'bench', ${NOW})`,
  )
}

/** Columns of the file {@link writeContactsFile} writes. */
export const FILE_COLUMNS = [
  'external_id',
  'email',
  'phone',
  'locale',
  'timezone',
  'signed_up_at',
  'status',
  'first_name',
  'cart_items',
] as const

/** A CSV of contacts as a shop would export it, sign-up 3 to 180 days ago. */
export async function writeContactsFile(path: string, count: number): Promise<void> {
  const file = createWriteStream(path)
  let block = `${FILE_COLUMNS.join(',')}\n`
  for (let n = 1; n <= count; n += 1) {
    const signedUp = new Date(NOW.getTime() - 3 * 86_400_000 - ((n * 7_919_000) % (177 * 86_400_000)))
    const phone = `+8613${String(n).padStart(9, '0')}`
    const zone = ZONES[n % ZONES.length] ?? 'UTC'
    block += `u${n},u${n}@example.com,${phone},en,${zone},${signedUp.toISOString()},active,Person ${n},${n % 5}\n`
    if (block.length > 1 << 18) {
      if (!file.write(block)) await once(file, 'drain')
      block = ''
    }
  }
  file.end(block)
  await once(file, 'close')
}
