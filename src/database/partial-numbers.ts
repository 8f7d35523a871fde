import { sql } from 'drizzle-orm'
import { execute, rows, type Session } from './connect.ts'

// The do-not-contact list has a number in all its spellings, so that a contact is looked up by the one it has. Of some
// numbers it has fewer: of those it was told while other countries were named, and of those nobody carried any more. Only
// then have contacts that come to be looked up in each of theirs, which costs an import a good deal.

/** The row of `settings` that says so. */
const SETTING = 'partial_numbers'

/** From now on some number may be on the list in fewer spellings than there are. */
export async function notePartialNumbers(session: Session): Promise<void> {
  if (await hasPartialNumbers(session)) return
  await execute(
    session,
    sql`INSERT INTO settings (name, value) VALUES (${SETTING}, 'true') ON CONFLICT (name) DO NOTHING`,
  )
}

/** Whether some number may be on the list in fewer spellings than there are. */
export async function hasPartialNumbers(session: Session): Promise<boolean> {
  const [found] = await rows(session, sql`SELECT FROM settings WHERE name = ${SETTING}`)
  return found !== undefined
}
