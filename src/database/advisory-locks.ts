import { type SQL, sql } from 'drizzle-orm'

// Locks that stand for no row. Those of PostgreSQL are the whole database's: each is taken by its number and by the schema,
// so that a replay, or another Winback beside this one, waits for none of ours.

/** By what they guard. A number is never changed nor given again: a process of an older version goes by it, too. */
export const LOCKS = {
  migration: 7400,
  /** Of what has a name: a campaign that is applied, partitions of a table, users … */
  named: 7402,
  /** Who makes contacts or changes their identifiers. */
  identifiers: 7403,
  /** Who links a visitor, and who records what visitors did. */
  visitors: 7404,
  exclusiveGroup: 7405,
  externalIds: 7406,
  standings: 7410,
  breakers: 7417,
  sync: 7418,
  /** One of the places that tokens of devices share. */
  token: 7419,
  rollUp: 7420,
} as const

/**
 * The key of a lock in this schema, as the arguments of PostgreSQL's functions.
 * @param part what of all that the lock guards: an SQL text
 */
export function lockKey(lock: keyof typeof LOCKS, part?: SQL): SQL {
  const within = part ? sql` || '.' || ${part}` : sql``
  return sql`${sql.raw(String(LOCKS[lock]))}, hashtext(current_schema()${within})`
}
