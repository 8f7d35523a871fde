import { hash, randomBytes } from 'node:crypto'
import { sql } from 'drizzle-orm'
import { later } from '../../clock.ts'
import { typedText } from '../../config/typed-text.ts'
import { lockKey } from '../../database/advisory-locks.ts'
import {
  type Database,
  execute,
  rows,
  type Session,
  type Transaction,
  transaction,
} from '../../database/connect.ts'
import { WinbackError } from '../../errors.ts'
import { hashPassword, PASSWORD_LENGTH } from './passwords.ts'
import type { Role } from './roles.ts'

export interface User {
  readonly userId: number
  readonly name: string
  readonly role: Role
  readonly createdAt: Date
  readonly createdBy: string
  /** False until the one-time link was used. */
  readonly hasPassword: boolean
  readonly disabledAt: Date | null
  readonly seenAt: Date | null
}

/** Days a one-time link is good. */
const LINK_DAYS = 7

const COLUMNS = sql`u.user_id AS "userId", u.name, u.role, u.created_at AS "createdAt", u.created_by AS "createdBy",
  u.password IS NOT NULL AS "hasPassword", u.disabled_at AS "disabledAt",
  (SELECT max(s.seen_at) FROM web_sessions s WHERE s.user_id = u.user_id) AS "seenAt"`

export async function listUsers(session: Session): Promise<User[]> {
  return await rows<User>(
    session,
    sql`SELECT ${COLUMNS} FROM users u ORDER BY u.disabled_at IS NOT NULL, u.name`,
  )
}

export async function findUser(session: Session, name: string): Promise<User | undefined> {
  const [user] = await rows<User>(
    session,
    sql`SELECT ${COLUMNS} FROM users u WHERE u.name = ${name.trim().toLowerCase()}`,
  )
  return user
}

/** Adds a user, who sets a password by the link of {@link issueLink}. @throws WinbackError `usage.text`, `users.name`, `users.taken` */
export async function addUser(
  session: Session,
  made: { name: string; role: Role; now: Date; by: string },
): Promise<User> {
  const name = typedText(made.name, 'name', 'the name').toLowerCase()
  if (!/^[\p{L}\p{N}][\p{L}\p{N}._@+-]*$/u.test(name)) {
    throw new WinbackError('users.name', `"${made.name}" cannot be a user’s name`, {
      remedy: 'Use letters, digits and . _ @ + -, such as ada or ada@shop.example.',
      facts: { name: made.name },
    })
  }
  const added = await execute(
    session,
    sql`INSERT INTO users (name, role, created_at, created_by) VALUES (${name}, ${made.role}, ${made.now}, ${made.by})
        ON CONFLICT DO NOTHING`,
  )
  const user = await findUser(session, name)
  if (added === 1 && user) return user
  throw new WinbackError('users.taken', `there is a user ${name} already`, {
    remedy: `\`winback users link ${name}\` prints a new link to set a password.`,
    facts: { name },
  })
}

/**
 * Changes what a user may do, or shuts a user out, who is then signed out everywhere.
 * @param change.record keeps a record of it, in the same transaction
 * @throws WinbackError `users.last_admin`
 */
export async function changeUser(
  database: Database,
  userId: number,
  change: { role?: Role; disabled?: boolean; now: Date; record?(tx: Transaction): Promise<void> },
): Promise<void> {
  await transaction(database, async (tx) => {
    // One change at a time: two admins who shut each other out would leave nobody.
    const before = await rows<{ open: boolean }>(
      tx,
      sql`SELECT disabled_at IS NULL AS open FROM users WHERE role = 'admin' ORDER BY user_id FOR UPDATE`,
    )
    const disabledAt =
      change.disabled === undefined
        ? sql`disabled_at`
        : change.disabled
          ? sql`${change.now}::timestamptz`
          : sql`NULL`
    await execute(
      tx,
      sql`UPDATE users SET role = coalesce(${change.role ?? null}, role), disabled_at = ${disabledAt} WHERE user_id = ${userId}`,
    )
    const [left] = await rows<{ admins: number }>(
      tx,
      sql`SELECT count(*) AS admins FROM users WHERE role = 'admin' AND disabled_at IS NULL`,
    )
    // Where there is none yet, as before the first `winback start`, this change takes none away.
    if ((left?.admins ?? 0) === 0 && before.some(({ open }) => open)) {
      throw new WinbackError('users.last_admin', 'somebody has to stay admin', {
        remedy: 'Make another user admin first.',
      })
    }
    if (change.disabled) {
      await endSessions(tx, userId)
      // A link made before must not let them in again by itself once they may come back.
      await execute(tx, sql`DELETE FROM user_links WHERE user_id = ${userId}`)
    }
    await change.record?.(tx)
  })
}

/**
 * A one-time link's secret for setting a (new) password; links made before are void.
 * @returns the path to open, `/welcome/SECRET`, to be had now or never
 */
export async function issueLink(session: Session, userId: number, now: Date): Promise<string> {
  await execute(session, sql`DELETE FROM user_links WHERE user_id = ${userId}`)
  return await addLink(session, userId, now)
}

/** {@link issueLink} beside those made before: each is good until one of them is used. */
async function addLink(session: Session, userId: number, now: Date): Promise<string> {
  const secret = randomBytes(32).toString('base64url')
  await execute(session, sql`DELETE FROM user_links WHERE expires_at < ${now}`)
  await execute(
    session,
    sql`INSERT INTO user_links (link_hash, user_id, expires_at)
        VALUES (${hash('sha256', secret)}, ${userId}, ${later(now, LINK_DAYS * 86_400)})`,
  )
  return `/welcome/${secret}`
}

/** Whose link it is; undefined for one that is used up, too old, or nobody's. */
export async function linkOwner(session: Session, secret: string, now: Date): Promise<User | undefined> {
  const [user] = await rows<User>(
    session,
    sql`SELECT ${COLUMNS} FROM user_links l JOIN users u USING (user_id)
        WHERE l.link_hash = ${hash('sha256', secret)} AND l.expires_at > ${now} AND u.disabled_at IS NULL`,
  )
  return user
}

/**
 * Sets the password and uses up the user's links, in one transaction: of two who open them at once, one sets it. Signs the
 * user out everywhere else.
 * @param record keeps a record of it, in the same transaction
 */
export async function usePasswordLink(
  database: Database,
  secret: string,
  password: string,
  now: Date,
  record?: (tx: Transaction, user: User) => Promise<void>,
): Promise<User | 'no_link' | 'too_short'> {
  if ([...password].length < PASSWORD_LENGTH) return 'too_short'
  const kept = await hashPassword(password)
  return await transaction(database, async (tx) => {
    // Whoever opens another link of the same user meanwhile comes second, and finds none.
    await execute(
      tx,
      sql`SELECT FROM users WHERE user_id IN (SELECT user_id FROM user_links WHERE link_hash = ${hash('sha256', secret)})
          FOR UPDATE`,
    )
    const owner = await linkOwner(tx, secret, now)
    if (!owner) return 'no_link'
    await execute(tx, sql`DELETE FROM user_links WHERE user_id = ${owner.userId}`)
    await execute(tx, sql`UPDATE users SET password = ${kept} WHERE user_id = ${owner.userId}`)
    await endSessions(tx, owner.userId)
    await record?.(tx, owner)
    return owner
  })
}

async function endSessions(session: Session, userId: number): Promise<void> {
  await execute(session, sql`DELETE FROM web_sessions WHERE user_id = ${userId}`)
}

/**
 * Where nobody could sign in yet: a user `admin`, and the path of a one-time link. Each start prints another one until
 * one was used; what was handed out before, by `users add` say, stays good.
 * @returns undefined where somebody has set a password
 */
export async function firstLink(database: Database, now: Date, by: string): Promise<string | undefined> {
  return await transaction(database, async (tx) => {
    await execute(tx, sql`SELECT pg_advisory_xact_lock(${lockKey('named', sql`'users'`)})`)
    const users = await listUsers(tx)
    if (users.some((user) => user.hasPassword)) return undefined
    const admin =
      users.find((user) => user.role === 'admin' && user.disabledAt === null) ??
      (await addUser(tx, { name: 'admin', role: 'admin', now, by }))
    return await addLink(tx, admin.userId, now)
  })
}
