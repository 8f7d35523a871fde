import { basename } from 'node:path'
import { sql } from 'drizzle-orm'
import { reasonSaid } from '../config/reasons.ts'
import { type Database, rows, type Transaction } from '../database/connect.ts'
import { keepContacts } from '../database/person-locks.ts'
import { type ImportOptions, type ImportSummary, importFile } from './files/file-import.ts'
import { type Getters, textReader } from './files/mapping.ts'
import type { FileRow, RowValues } from './files/rows.ts'
import { listWriter } from './files/writers.ts'
import { erasedAmong } from './privacy/erased.ts'
import { type MomentReading, mappedDateReader, pastMoment } from './values/dates.ts'
import { unstorable } from './values/text.ts'

// Why people stay away, as interviews and surveys heard it: a row an answer, in the codes of the one list that calls,
// replies and opt-outs use, so that a report can count them together.

const INTERVIEW_FIELDS = ['external_id', 'reason', 'said_at', 'note'] as const

interface Answer {
  readonly externalId: string
  readonly reason: string
  readonly saidAt: string
  readonly note: string | null
  readonly line: number
  readonly raw: string
}

/** A note is a few words around the reason, not the protocol of the interview. */
const NOTE = 2000

/**
 * Imports answers of interviews and surveys. A reason is a code of the list or its words in either language; anything else
 * is kept as `other`, in its own words. The same contact, reason and moment is the same answer; nobody is made a contact.
 */
export async function importInterviews(
  database: Database,
  file: string,
  options: ImportOptions,
): Promise<ImportSummary> {
  const { clock } = options
  const by = `import of ${basename(file)}`
  return await importFile(database, file, options, {
    kind: 'interviews',
    fields: INTERVIEW_FIELDS,
    required: ['external_id', 'reason', 'said_at'],
    lanes: 1,
    open: (getters) => {
      const read = answerReader(getters, {
        date: mappedDateReader(options.mapping),
        latest: () => clock.now().getTime(),
      })
      return listWriter(read, (tx, answers) => mergeAnswers(tx, answers, by))
    },
  })
}

/** Reads a row's answer, or says why it is none. */
function answerReader(
  getters: Getters,
  moments: MomentReading,
): (values: RowValues, row: FileRow) => Answer | string {
  const text = textReader(getters)
  return (values, { line, raw }) => {
    const externalId = text('external_id', values)
    const said = text('reason', values)
    const remark = text('note', values)
    if (externalId === '') return 'there is no external_id'
    if (said === '') return 'there is no reason'
    const given = getters.get('said_at')?.(values)
    if (given === undefined || given === null || given === '') return 'there is no said_at'
    const at = pastMoment('said_at', given, moments)
    if (typeof at === 'string') return at
    const known = reasonSaid(said)
    const whole = [known ? '' : said, remark].filter((part) => part !== '').join(': ')
    const problem = unstorable('external_id', externalId) ?? unstorable('note', whole)
    // Not between the halves of a character.
    const note = whole.slice(0, NOTE).replace(/\p{Cs}$/u, '')
    if (problem !== undefined) return problem
    const saidAt = new Date(at).toISOString()
    return { externalId, reason: known ?? 'other', saidAt, note: note || null, line, raw }
  }
}

async function mergeAnswers(tx: Transaction, answers: readonly Answer[], by: string) {
  const column = (of: (answer: Answer) => string | null) => sql.param(answers.map(of))
  const said = sql`unnest(${column(({ externalId }) => externalId)}::text[], ${column(({ reason }) => reason)}::text[],
    ${column(({ saidAt }) => saidAt)}::timestamptz[], ${column(({ note }) => note)}::text[])
    WITH ORDINALITY AS k(external_id, reason, said_at, note, no)`
  await keepContacts(
    tx,
    sql`c.contact_id = ANY (ARRAY(SELECT x.contact_id FROM ${said} JOIN external_ids x USING (external_id)))`,
  )
  const unknown = await rows<{ no: number }>(
    tx,
    sql`SELECT k.no::int - 1 AS no FROM ${said}
      WHERE NOT EXISTS (SELECT FROM external_ids x WHERE x.external_id = k.external_id)`,
  )
  const inserted = await rows(
    tx,
    sql`INSERT INTO reasons_given (contact_id, source, reason, said_at, note, recorded_by)
      SELECT DISTINCT ON (x.contact_id, k.said_at, k.reason) x.contact_id, 'interview', k.reason, k.said_at, k.note, ${by}
      FROM ${said} JOIN external_ids x USING (external_id)
      WHERE NOT EXISTS (SELECT FROM reasons_given g WHERE g.contact_id = x.contact_id AND g.source = 'interview'
        AND g.reason = k.reason AND g.said_at = k.said_at)
      ORDER BY x.contact_id, k.said_at, k.reason, k.no RETURNING contact_id`,
  )
  const erased = await erasedAmong(
    tx,
    answers.map(({ externalId }) => externalId),
  )
  const refused = unknown.flatMap(({ no }) => {
    const answer = answers[no]
    if (!answer || erased.has(no)) return []
    return [
      { line: answer.line, reason: `nobody has the external_id "${answer.externalId}"`, raw: answer.raw },
    ]
  })
  return { inserted: inserted.length, updated: 0, erased: erased.size, refused }
}
