import { scryptSync } from 'node:crypto'
import { sql } from 'drizzle-orm'
import { type Database, execute, rows } from '../../src/database/connect.ts'
import type { Role } from '../../src/web/accounts/roles.ts'
import { openSession } from '../../src/web/accounts/sessions.ts'
import { addUser } from '../../src/web/accounts/users.ts'

// People who use the web and have signed in. How they do, sign-in.test.ts tells: a password takes a third of a second of
// processor time to hash, as it should. So theirs is one that nobody can type.

/** Adds a user who has a password and is signed in. @returns the cookie of the session */
export async function signIn(database: Database, name: string, role: Role, now: Date): Promise<string> {
  const { userId } = await addUser(database, { name, role, now, by: 'test' })
  await execute(database, sql`UPDATE users SET password = 'set' WHERE user_id = ${userId}`)
  return `winback_session=${await openSession(database, userId, '127.0.0.1', now)}`
}

/**
 * Gives a user a password that is hashed with next to no effort: a hash says how strong it is, so that whoever signs in with
 * it, or guesses at it, costs next to nothing either.
 */
export async function givePassword(database: Database, name: string, password: string): Promise<void> {
  const salt = 'sixteen bytes ok'
  const hash = scryptSync(password, salt, 32, { N: 2, r: 1, p: 1 })
  const kept = ['scrypt', 2, 1, 1, Buffer.from(salt).toString('base64url'), hash.toString('base64url')].join(
    '$',
  )
  await execute(database, sql`UPDATE users SET password = ${kept} WHERE name = ${name}`)
}

/** Sends forms as somebody's browser does: with the session's token. */
export function formOf(database: Database, server: string, who: { name: string; cookie: string }) {
  return async (path: string, fields: Record<string, string> = {}): Promise<Response> => {
    const [session] = await rows<{ csrf: string }>(
      database,
      sql`SELECT csrf FROM web_sessions JOIN users USING (user_id) WHERE name = ${who.name}`,
    )
    const body = new URLSearchParams({ csrf: session?.csrf ?? '', ...fields })
    return await fetch(`${server}${path}`, {
      method: 'POST',
      body,
      headers: { Cookie: who.cookie },
      redirect: 'manual',
    })
  }
}
