import { hash } from 'node:crypto'
import { type SQL, sql } from 'drizzle-orm'

// Who is left alone, so that the rest can be measured against them. Every draw is a hash of a salt and of what
// is drawn for, so it is the same on every machine and on every repetition; it is stored once and never redrawn.
//
// The arm hashes the episode's number beside the person. A hash of the person alone would put the same people in
// the holdout each time they lapse: once the treated are recalled and lapse again, the pooled headline is biased.

/** What a draw is for; part of what is hashed, so that draws of one person are independent of each other. */
export type DrawPurpose = 'control' | 'rollout' | 'arm' | `tier:${string}` | `variant:${string}`

/** A number in [0, 1) as an SQL expression: the first 32 bits of sha-256(`salt:purpose:key…`). */
export function drawSql(salt: string, purpose: DrawPurpose, ...keys: SQL[]): SQL {
  // Each key is cast to text, so `7` hashes alike whether it came as bigint or integer.
  const text = sql.join(
    keys.map((key) => sql`(${key})::text`),
    sql` || ':' || `,
  )
  const digest = sql`sha256(convert_to(${`${salt}:${purpose}:`} || ${text}, 'UTF8'))`
  return sql`(('x' || encode(substring(${digest} FROM 1 FOR 4), 'hex'))::bit(32)::bigint / 4294967296.0)`
}

/** The same draw in JavaScript: of one person, for a preview. */
export function draw(salt: string, purpose: DrawPurpose, ...keys: (number | string)[]): number {
  const digest = hash('sha256', `${salt}:${purpose}:${keys.join(':')}`, 'buffer')
  return digest.readUInt32BE(0) / 4_294_967_296
}

/**
 * The arm of an episode, as SQL. The workspace's control group comes first and is sticky for a person; then the
 * campaign's holdout, drawn for this episode of this person.
 */
export function armSql(draws: {
  workspaceSalt: string
  campaignSalt: string
  control: number
  holdout: number
  person: SQL
  episodeNo: SQL
}): SQL {
  // A share of 0 needs no hash: at a million contacts each costs a second.
  const control =
    draws.control > 0
      ? sql`WHEN ${drawSql(draws.workspaceSalt, 'control', draws.person)} < ${draws.control}::numeric THEN 'control'`
      : sql``
  const holdout =
    draws.holdout > 0
      ? sql`WHEN ${drawSql(draws.campaignSalt, 'arm', draws.person, draws.episodeNo)} < ${draws.holdout}::numeric THEN 'holdout'`
      : sql``
  if (draws.control === 0 && draws.holdout === 0) return sql`'treated'`
  return sql`CASE ${control} ${holdout} ELSE 'treated' END`
}
