import { hash, randomBytes } from 'node:crypto'
import { sql } from 'drizzle-orm'
import { lockKey } from '../../database/advisory-locks.ts'
import { type Database, execute, rows, type Session, transaction } from '../../database/connect.ts'
import { isPassword } from './passwords.ts'
import type { Role } from './roles.ts'

// Sessions live in the database, by the hash of the cookie's value: whoever reads the table cannot sign in with it.
// A session ends twelve hours after it was last used, and seven days after it began whatever happens.

/** Who is signed in. */
export interface SignedIn {
  readonly userId: number
  readonly name: string
  readonly role: Role
  /** What each form has to carry. */
  readonly csrf: string
}

const IDLE_MS = 12 * 3_600_000
const LONGEST_MS = 7 * 86_400_000
/** How exactly it is known when a session was last used. */
const SEEN_MS = 60_000

/** Failures a name, or a browser, may have before it has to wait; of an address, behind which an office may sit. */
const FREE = { name: 5, from: 30 } as const

/** A browser in which somebody signed in before. */
export interface KnownBrowser {
  readonly userId: number
  /** Its own, which nobody guesses. */
  readonly browser: string
}
const QUIET_MS = 3_600_000
const LONGEST_WAIT_MS = 15 * 60_000

export type SignIn =
  | { readonly outcome: 'signed_in'; readonly cookie: string; readonly userId: number }
  | { readonly outcome: 'refused' }
  | { readonly outcome: 'wait'; readonly seconds: number }

/**
 * Signs in by name and password. After five failures of a name, or thirty from an address, each further one doubles the
 * wait, up to a quarter of an hour; a refusal never says whether the name exists. A browser in which they signed in before has
 * its own five: what others guess keeps nobody out there, nor does what is mistyped there count elsewhere.
 */
export async function signIn(
  database: Database,
  given: { name: string; password: string; address: string; now: Date; known?: KnownBrowser | undefined },
): Promise<SignIn> {
  const { now, address } = given
  const name = given.name.trim().toLowerCase().slice(0, 100)
  const [user] = await rows<{ userId: number; password: string | null }>(
    database,
    sql`SELECT user_id AS "userId", password FROM users WHERE name = ${name} AND disabled_at IS NULL`,
  )
  const { known } = given
  const theirs = known !== undefined && known.userId === user?.userId
  const keys = theirs ? [`browser:${known.browser}`] : [`name:${name}`, `from:${address}`]
  const seconds = await transaction(database, async (tx) => {
    // One at a time: of a hundred guesses at once, each would find that none has failed yet.
    await execute(tx, sql`SELECT pg_advisory_xact_lock(${lockKey('named', sql`'sign_in_failures'`)})`)
    const wait = await secondsToWait(tx, keys, now)
    // Counted before the answer is known, and taken back where it was right.
    if (wait === 0) await recordFailure(tx, keys, now)
    return wait
  })
  if (seconds > 0) return { outcome: 'wait', seconds }
  const right = await isPassword(given.password, user?.password)
  if (!user || !right) return { outcome: 'refused' }
  await execute(
    database,
    sql`DELETE FROM sign_in_failures WHERE key = ANY (${sql.param(keys)}::text[]) AND key NOT LIKE 'from:%'`,
  )
  await execute(
    database,
    sql`UPDATE sign_in_failures SET failures = greatest(0, failures - 1)
      WHERE key = ANY (${sql.param(keys)}::text[]) AND key LIKE 'from:%'`,
  )
  return {
    outcome: 'signed_in',
    cookie: await openSession(database, user.userId, address, now),
    userId: user.userId,
  }
}

/** Opens a session. @returns the cookie's value, which is kept nowhere */
export async function openSession(
  session: Session,
  userId: number,
  address: string,
  now: Date,
): Promise<string> {
  const cookie = randomBytes(32).toString('base64url')
  await execute(session, sql`DELETE FROM web_sessions WHERE expires_at < ${now}`)
  await execute(
    session,
    sql`INSERT INTO web_sessions (session_hash, user_id, csrf, created_at, seen_at, expires_at, address)
        VALUES (${hash('sha256', cookie)}, ${userId}, ${randomBytes(24).toString('base64url')}, ${now}, ${now},
          ${new Date(now.getTime() + IDLE_MS)}, ${address})`,
  )
  return cookie
}

/** Whose session a cookie is; undefined for none, one that has ended, or a user who was shut out. */
export async function readSession(
  session: Session,
  cookie: string,
  now: Date,
): Promise<SignedIn | undefined> {
  const key = hash('sha256', cookie)
  const [found] = await rows<SignedIn & { seenAt: Date }>(
    session,
    sql`SELECT u.user_id AS "userId", u.name, u.role, s.csrf, s.seen_at AS "seenAt"
        FROM web_sessions s JOIN users u USING (user_id)
        WHERE s.session_hash = ${key} AND s.expires_at > ${now} AND u.disabled_at IS NULL`,
  )
  if (!found) return undefined
  const { seenAt, ...user } = found
  if (now.getTime() - seenAt.getTime() >= SEEN_MS) {
    await execute(
      session,
      sql`UPDATE web_sessions SET seen_at = ${now}, expires_at =
            least(${new Date(now.getTime() + IDLE_MS)}, created_at + make_interval(secs => ${LONGEST_MS / 1000}))
          WHERE session_hash = ${key}`,
    )
  }
  return user
}

export async function closeSession(session: Session, cookie: string): Promise<void> {
  await execute(session, sql`DELETE FROM web_sessions WHERE session_hash = ${hash('sha256', cookie)}`)
}

async function secondsToWait(session: Session, keys: readonly string[], now: Date): Promise<number> {
  const found = await rows<{ key: string; failures: number; failedAt: Date }>(
    session,
    sql`SELECT key, failures, failed_at AS "failedAt" FROM sign_in_failures
        WHERE key = ANY (${sql.param(keys)}::text[])`,
  )
  const waits = found.map(({ key, failures, failedAt }) => {
    const until = failedAt.getTime() + waitAfter(failures, key.startsWith('from:') ? FREE.from : FREE.name)
    return Math.ceil((until - now.getTime()) / 1000)
  })
  return Math.max(0, ...waits)
}

/** Milliseconds to wait after so many failures: nothing, then 2 s, 4 s … a quarter of an hour. */
export function waitAfter(failures: number, free: number): number {
  return failures < free ? 0 : Math.min(LONGEST_WAIT_MS, 1000 * 2 ** Math.min(20, failures - free + 1))
}

async function recordFailure(session: Session, keys: readonly string[], now: Date): Promise<void> {
  const quiet = new Date(now.getTime() - QUIET_MS)
  await execute(session, sql`DELETE FROM sign_in_failures WHERE failed_at < ${quiet}`)
  await execute(
    session,
    sql`INSERT INTO sign_in_failures AS f (key, failures, failed_at)
        SELECT key, 1, ${now} FROM unnest(${sql.param(keys)}::text[]) AS k(key) ORDER BY key
        ON CONFLICT (key) DO UPDATE SET failures = f.failures + 1, failed_at = excluded.failed_at`,
  )
}
