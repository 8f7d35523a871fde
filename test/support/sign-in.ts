import { sql } from 'drizzle-orm'
import { type Database, rows } from '../../src/database/connect.ts'
import type { Role } from '../../src/web/accounts/roles.ts'
import { addUser, issueLink } from '../../src/web/accounts/users.ts'

// People who use the web, signed in as they would be: by their one-time link.

/** Adds a user and signs them in. @returns the cookie of the session */
export async function signIn(
  database: Database,
  server: string,
  name: string,
  role: Role,
  now: Date,
): Promise<string> {
  const user = await addUser(database, { name, role, now, by: 'test' })
  const path = await issueLink(database, user.userId, now)
  const body = new URLSearchParams({ password: 'a horse, a battery', again: 'a horse, a battery' })
  const answer = await fetch(`${server}${path}`, { method: 'POST', body, redirect: 'manual' })
  return /winback_session=[^;]+/.exec(answer.headers.getSetCookie().join())?.[0] ?? ''
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
