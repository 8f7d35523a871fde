import { type SQL, sql } from 'drizzle-orm'

/** jsonb_build_object takes at most 100 arguments. */
const PAIRS = 50

/** One jsonb object of values by name, however many; `{}` of none. */
export function objectSql(values: readonly { readonly name: string; readonly value: SQL }[]): SQL {
  const parts: SQL[] = [sql`'{}'::jsonb`]
  for (let start = 0; start < values.length; start += PAIRS) {
    const pairs = values.slice(start, start + PAIRS).map(({ name, value }) => sql`${name}::text, ${value}`)
    parts.push(sql`jsonb_build_object(${sql.join(pairs, sql`, `)})`)
  }
  return sql.join(parts, sql` || `)
}
