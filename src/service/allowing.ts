import { sql } from 'drizzle-orm'
import { type Allowed, allow } from '../contacts/allowances.ts'
import { rows, type Transaction, transaction } from '../database/connect.ts'
import { WinbackError } from '../errors.ts'
import type { Runtime } from './runtime.ts'

type Kind = 'email' | 'phone'
type Freed = Exclude<Allowed, { became: 'kept' }>

/** What is taken off the list beside what files put there, and what is done in the same transaction. */
export interface AllowingOne {
  readonly bounced: boolean
  readonly dryRun?: boolean
  readonly record?: (tx: Transaction) => Promise<void>
}

/**
 * Takes one address off the do-not-contact list, whichever files put it there.
 * @throws WinbackError `refused.listed` where it has to stay
 */
export async function allowAddress(
  { database, addressKeys }: Pick<Runtime, 'database' | 'addressKeys'>,
  address: { readonly kind: Kind; readonly text: string },
  options: AllowingOne,
): Promise<Freed> {
  const keys = addressKeys(address.kind, address.text)
  return await transaction(database, (tx) => allowKeys(tx, address.kind, keys, options))
}

/** {@link allowAddress} for a contact's own; nothing where they have none. */
export async function allowContact(
  { database, addressKeys }: Pick<Runtime, 'database' | 'addressKeys'>,
  contactId: number,
  kind: Kind,
  options: AllowingOne,
): Promise<Freed> {
  return await transaction(database, async (tx) => {
    const [contact] = await rows<{ email: string | null; phone: string | null }>(
      tx,
      sql`SELECT email, phone FROM contacts WHERE contact_id = ${contactId}`,
    )
    return await allowKeys(tx, kind, addressKeys(kind, contact?.[kind] ?? ''), options)
  })
}

async function allowKeys(
  tx: Transaction,
  kind: Kind,
  keys: readonly Buffer[],
  { bounced, dryRun = false, record }: AllowingOne,
): Promise<Freed> {
  const [became = { became: 'absent' as const }] = await allow(tx, [{ kind, keys }], {
    imports: 'any',
    bounced,
    dryRun,
  })
  if (became.became === 'kept') {
    const { why, remedy } = KEPT[became.by]
    throw new WinbackError('refused.listed', `it stays on the do-not-contact list: ${why}`, { remedy })
  }
  if (became.became === 'lifted') await record?.(tx)
  return became
}

const FOR_GOOD = 'Nobody but they can change that.'

const KEPT: Readonly<Record<Extract<Allowed, { became: 'kept' }>['by'], { why: string; remedy: string }>> = {
  erasure: { why: 'it belonged to someone who was erased', remedy: 'There is no way back from an erasure.' },
  complaint: { why: 'they complained about a message', remedy: FOR_GOOD },
  person: {
    why: 'they unsubscribed themselves',
    remedy: `${FOR_GOOD} Their own page, where one can tick e-mail again, is that of \`winback consent CONTACT\`.`,
  },
  bounce: {
    why: 'mail to it bounced for good, or the number was somebody else’s',
    remedy: 'Where that is mended, `winback allow ADDRESS --bounced` takes it off.',
  },
  import: { why: 'a file put it there', remedy: FOR_GOOD },
  other: { why: 'something else put it there', remedy: 'See `winback explain CONTACT`.' },
}
