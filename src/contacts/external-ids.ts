import { sql } from 'drizzle-orm'
import { rows, type Session } from '../database/connect.ts'
import { WinbackError } from '../errors.ts'
import { isFailedFormula, standsForNothing } from './values/nothing.ts'
import { shortenedProblem } from './values/numbers.ts'
import { maskedProblem, unstorable } from './values/text.ts'

/** As programs write whole numbers once a cell of their column was empty: the same id elsewhere has no `.0`. */
const FRACTION = /^\d+\.0$/

/** Marks that come with what is copied from a page or a chat: the same id without them is somebody else's. */
const UNSEEN = /[\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]/

/**
 * Why nobody can be known by this external_id; undefined where somebody can. What a spreadsheet made of ids is refused,
 * and what is masked: all whose number was shortened alike would become one contact.
 */
export function externalIdProblem(id: string): string | undefined {
  if (id === '') return 'there is no external_id'
  if (id.length > 500) return 'the external_id is longer than 500 characters'
  const shortened = shortenedProblem(id)
  if (shortened !== undefined) return `external_id: ${shortened}`
  if (FRACTION.test(id)) {
    return `external_id: "${id}" is a number that was written as a fraction; export the column as text, without the .0`
  }
  if (id === '0') {
    return 'external_id: "0" is what shops write for all their guests, who would become one contact; give each an id of their own'
  }
  if (isFailedFormula(id)) return `external_id: "${id}" is a formula that failed in a spreadsheet`
  if (standsForNothing(id)) return `external_id: "${id}" is what programs write for nothing`
  const masked = maskedProblem(id)
  if (masked !== undefined) return `external_id: ${masked}`
  if (UNSEEN.test(id)) return `external_id: "${id}" is written with marks that nobody sees; take them out`
  return stepProblem('external_id', id) ?? unstorable('external_id', id)
}

/**
 * Why a contact could not be opened by this id, of the field `name`; undefined where it could: whatever writes an address,
 * a browser or a library, takes `.` and `..` for steps in its path, also where they are escaped.
 */
export function stepProblem(name: string, id: string): string | undefined {
  return id === '.' || id === '..' ? `${name}: "${id}" is a step in a path, and no id` : undefined
}

/** The internal id of a contact of the user's system; undefined where there is none. */
export async function contactIdOf(session: Session, externalId: string): Promise<number | undefined> {
  const [row] = await rows<{ contactId: number }>(
    session,
    sql`SELECT contact_id AS "contactId" FROM external_ids WHERE external_id = ${externalId}`,
  )
  return row?.contactId
}

/** {@link contactIdOf} of one that has to be there. @throws WinbackError `contact.unknown` */
export async function findContact(session: Session, externalId: string): Promise<number> {
  const contactId = await contactIdOf(session, externalId)
  if (contactId !== undefined) return contactId
  throw new WinbackError('contact.unknown', `there is no contact \`${externalId}\``, {
    remedy: 'Contacts are named by the external id they were imported with.',
  })
}
