import { sql } from 'drizzle-orm'
import { maskText } from '../config/masking.ts'
import { execute, rows, type Session } from '../database/connect.ts'

// Who changed what, when, from where. Append-only, but for what a verb of the command line came to. It holds no personal data of contacts: one is named by its internal
// id (`contact 17`), which after an erasure leads nowhere.

export interface AuditEntry {
  readonly at: Date
  /** A user's name, an API key's, or who was at the terminal. */
  readonly actor: string
  readonly via: 'web' | 'api' | 'cli'
  /** `campaign.apply`, `contact.erase` …: see AUDIT_WORDS. */
  readonly action: string
  /** `campaign graded-recall`, `contact 17`; null where it was about nothing in particular. */
  readonly about: string | null
  readonly detail: Readonly<Record<string, unknown>> | null
  readonly address: string | null
}

/**
 * Records an entry; inside a transaction, together with what it tells of. Addresses and numbers that somebody typed, as
 * in the reason of a pause, are masked: an erasure does not come here.
 */
export async function recordAudit(session: Session, entry: NewEntry): Promise<void> {
  await beginAudit(session, entry)
}

/** An entry to be made; what is left out is null. */
type NewEntry = Omit<AuditEntry, 'about' | 'detail' | 'address'> &
  Partial<Pick<AuditEntry, 'about' | 'detail' | 'address'>>

/**
 * Records something before it is done, where it is more than one transaction: should the process die on the way, the entry
 * is there.
 * @returns the entry's id, for {@link endAudit}
 */
export async function beginAudit(session: Session, entry: NewEntry): Promise<number> {
  const { at, actor, via, action, about = null, detail = null, address = null } = entry
  const [row] = await rows<{ auditId: number }>(
    session,
    sql`INSERT INTO audit (at, actor, via, action, about, detail, address)
        VALUES (${at}, ${actor}, ${via}, ${action}, ${about}, ${detail === null ? null : JSON.stringify(detail, masked)}::jsonb, ${address})
        RETURNING audit_id AS "auditId"`,
  )
  if (!row) throw new Error('an INSERT returned no row')
  return row.auditId
}

/** What became of something begun: refused, so that nothing was done and the entry goes; or failed on the way, with a code. */
export async function endAudit(
  session: Session,
  auditId: number,
  end: 'refused' | { readonly failed: string },
): Promise<void> {
  await execute(
    session,
    end === 'refused'
      ? sql`DELETE FROM audit WHERE audit_id = ${auditId}`
      : sql`UPDATE audit SET detail = coalesce(detail, '{}') || ${JSON.stringify(end)}::jsonb WHERE audit_id = ${auditId}`,
  )
}

const masked = (_key: string, value: unknown) => (typeof value === 'string' ? maskText(value) : value)

/** The newest entries, before `before` where it is given. */
export async function readAudit(
  session: Session,
  question: { before?: number | undefined; about?: string | undefined; limit: number },
): Promise<(AuditEntry & { auditId: number })[]> {
  const { before, about, limit } = question
  return await rows(
    session,
    sql`SELECT audit_id AS "auditId", at, actor, via, action, about, detail, address FROM audit
        WHERE (${before ?? null}::bigint IS NULL OR audit_id < ${before ?? null})
          AND (${about ?? null}::text IS NULL OR about = ${about ?? null})
        ORDER BY audit_id DESC LIMIT ${limit}`,
  )
}
