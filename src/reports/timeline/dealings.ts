import type { Mask } from '../../config/masking.ts'
import type { Session } from '../../database/connect.ts'
import {
  type AttemptRow,
  type CallRow,
  type ChoiceRow,
  type ConsentRow,
  findAttempts,
  findCalls,
  findChoices,
  findConsents,
  findGrants,
  findReasons,
  findRefused,
  findReleased,
  findShown,
  type GrantRow,
  type ReasonRow,
  type RefusedRow,
  type ReleasedRow,
  type ShownRow,
} from './dealings-sql.ts'

// The part of a contact's story that is about promises, calls and wishes.

type Told<Kind extends string, Row> = { readonly kind: Kind; readonly at: Date } & Row

/** Something between the contact and us, at `at`. Codes are masked unless asked for. */
export type Dealing =
  | Told<'grant', GrantRow & { readonly became: GrantRow['state'] }>
  | Told<'released', ReleasedRow>
  | Told<'refused_redemption', RefusedRow>
  | Told<'call', CallRow & { readonly became: 'opened' | 'closed' }>
  | Told<'attempt', AttemptRow>
  | Told<'reason', ReasonRow>
  | Told<'choice', ChoiceRow>
  | Told<'consent', ConsentRow>
  | Told<'shown', ShownRow>

/**
 * All of it up to `now`, in no order.
 * @param words masks what people wrote or typed
 */
export async function readDealings(
  session: Session,
  contactId: number,
  now: Date,
  mask: Mask,
  words: (text: string) => string,
): Promise<Dealing[]> {
  const grants = await findGrants(session, contactId, now)
  const released = await findReleased(session, contactId, now)
  const refused = await findRefused(session, contactId, now)
  const calls = await findCalls(session, contactId, now)
  const attempts = await findAttempts(session, contactId, now)
  const reasons = await findReasons(session, contactId, now)
  const choices = await findChoices(session, contactId, now)
  const consents = await findConsents(session, contactId, now)
  const shown = await findShown(session, contactId, now)
  return [
    ...grants.flatMap((row) =>
      grantDealings({ ...row, code: row.code === null ? null : mask.code(row.code) }, now),
    ),
    ...released.map((row): Dealing => ({ kind: 'released', at: row.releasedAt, ...row })),
    ...refused.map(
      (row): Dealing => ({
        kind: 'refused_redemption',
        at: row.redeemedAt,
        ...row,
        code: mask.code(row.code),
      }),
    ),
    ...calls.flatMap((row) => callDealings(row, now)),
    ...attempts.map(
      (row): Dealing => ({
        kind: 'attempt',
        at: row.madeAt,
        ...row,
        notes: row.notes === null ? null : words(row.notes),
      }),
    ),
    ...reasons.map(
      (row): Dealing => ({
        kind: 'reason',
        at: row.saidAt,
        ...row,
        note: row.note === null ? null : words(row.note),
      }),
    ),
    ...choices.map((row): Dealing => ({ kind: 'choice', at: row.chosenAt, ...row })),
    ...consents.map((row): Dealing => ({ kind: 'consent', at: row.decidedAt, ...row })),
    ...shown.map((row): Dealing => ({ kind: 'shown', at: row.shownAt, ...row })),
  ]
}

/** A grant's stations up to a moment; its reservation is told only while there is no more to tell. Pure. */
function grantDealings(row: GrantRow, now: Date): Dealing[] {
  const { reservedAt, grantedAt, redeemedAt, expiresAt } = row
  const station = (became: GrantRow['state'], at: Date): Dealing => ({ kind: 'grant', at, ...row, became })
  if (grantedAt === null || grantedAt > now) return [station('reserved', reservedAt)]
  const granted = station('granted', grantedAt)
  if (redeemedAt !== null && redeemedAt <= now) return [granted, station('redeemed', redeemedAt)]
  return expiresAt <= now ? [granted, station('expired', expiresAt)] : [granted]
}

function callDealings(row: CallRow, now: Date): Dealing[] {
  const opened: Dealing = { kind: 'call', at: row.openedAt, ...row, became: 'opened' }
  // The attempt that ended a call tells its end.
  if (row.closedAt === null || row.closedAt > now || row.made) return [opened]
  return [opened, { kind: 'call', at: row.closedAt, ...row, became: 'closed' }]
}
