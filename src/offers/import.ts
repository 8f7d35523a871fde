import { sql } from 'drizzle-orm'
import { foreignValue } from '../contacts/activity.ts'
import { type ImportOptions, type ImportSummary, importFile } from '../contacts/files/file-import.ts'
import { type Getters, textReader } from '../contacts/files/mapping.ts'
import type { Merged } from '../contacts/files/row-counts.ts'
import type { FileRow, RowValues } from '../contacts/files/rows.ts'
import { listWriter } from '../contacts/files/writers.ts'
import { erasedAmong } from '../contacts/privacy/erased.ts'
import { type AmountWriting, amountReader } from '../contacts/values/amounts.ts'
import { type DateReader, mappedDateReader } from '../contacts/values/dates.ts'
import { unstorable } from '../contacts/values/text.ts'
import { type Database, execute, rows, type Transaction } from '../database/connect.ts'
import { WinbackError } from '../errors.ts'
import { normaliseCode } from './codes.ts'
import { REFUSALS, type RedemptionClaim, redeem } from './redemptions.ts'

const CODE_FIELDS = ['code', 'expires_at'] as const
const REDEMPTION_FIELDS = ['key', 'code', 'external_id', 'offer', 'redeemed_at', 'value'] as const

/** An offer of a campaign, as a file of codes names it. */
export interface CampaignOffer {
  readonly campaign: string
  readonly offer: string
  /** Whether it gives out codes of a file. */
  readonly imported: boolean
}

/**
 * The offer a file of codes is for: `five_off`, or `graded-recall.five_off` where several campaigns have one of the name.
 * @throws WinbackError `offer.unknown`, `offer.ambiguous`, `offer.codes`
 */
export function findOffer(name: string, offers: readonly CampaignOffer[]): CampaignOffer {
  const found = offers.filter(({ campaign, offer }) => name === offer || name === `${campaign}.${offer}`)
  const [one, another] = found
  if (!one) {
    const known = offers
      .filter(({ imported }) => imported)
      .map(({ campaign, offer }) => `${campaign}.${offer}`)
    throw new WinbackError('offer.unknown', `no campaign has an offer \`${name}\``, {
      remedy:
        known.length > 0
          ? `Offers that take codes: ${known.join(', ')}.`
          : 'Give an offer `deliver: code` and `codes: imported` in the file of its campaign first.',
    })
  }
  if (another) {
    throw new WinbackError('offer.ambiguous', `several campaigns have an offer \`${name}\``, {
      remedy: `Name it with its campaign: ${found.map(({ campaign, offer }) => `${campaign}.${offer}`).join(', ')}.`,
    })
  }
  if (!one.imported) {
    throw new WinbackError('offer.codes', `\`${one.campaign}.${one.offer}\` takes no imported codes`, {
      remedy: 'Give the offer `deliver: code` and `codes: imported` in the file of its campaign.',
    })
  }
  return one
}

/** A row that brings a code. */
interface CodeRow extends Pick<FileRow, 'line' | 'raw'> {
  readonly shown: string
  readonly expiresAt: number | null
}

/**
 * Imports codes to give out, each once. Of one that is known and that nobody has yet, the file's end is taken, where it
 * has that column: what was given was promised with its end. One that another offer has is refused.
 */
export async function importCodes(
  database: Database,
  file: string,
  options: ImportOptions & { readonly offer: { campaign: string; offer: string } },
): Promise<ImportSummary> {
  const now = options.clock.now()
  const { campaign, offer } = options.offer
  let chunk = new Map<string, CodeRow>()
  return await importFile(database, file, options, {
    kind: 'codes',
    fields: CODE_FIELDS,
    required: ['code'],
    lanes: 1,
    open: (getters) => {
      const text = textReader(getters)
      const date = mappedDateReader(options.mapping)
      const carriesEnds = getters.has('expires_at')
      return {
        take: ({ line, raw }, values) => {
          const shown = text('code', values)
          if (shown === '') return 'code: it is empty'
          if (shown.length > 100) return 'code: longer than 100 characters'
          const problem = unstorable('code', shown)
          if (problem !== undefined) return problem
          // As it stands: a number of NDJSON is a moment, too.
          const ends = text('expires_at', values) === '' ? null : getters.get('expires_at')?.(values)
          const expiresAt = ends === null ? null : date(ends)
          if (typeof expiresAt === 'string') return `expires_at: ${expiresAt}`
          chunk.set(normaliseCode(shown), { shown, expiresAt, line, raw })
          return undefined
        },
        release: () => {
          const full = chunk
          chunk = new Map()
          return { merge: (tx) => mergeCodes(tx, full, carriesEnds) }
        },
      }
    },
  })

  async function mergeCodes(
    tx: Transaction,
    codes: ReadonlyMap<string, CodeRow>,
    carriesEnds: boolean,
  ): Promise<Merged> {
    const given = [...codes.values()]
    const names = sql`${sql.param([...codes.keys()])}::text[]`
    const ends = sql`${sql.param(given.map(({ expiresAt }) => (expiresAt === null ? null : new Date(expiresAt).toISOString())))}::timestamptz[]`
    const inserted = await rows<{ code: string }>(
      tx,
      sql`INSERT INTO offer_codes (code, shown, campaign, offer, imported_at, expires_at)
        SELECT code, shown, ${campaign}, ${offer}, ${now}, expires_at
        FROM unnest(${names}, ${sql.param(given.map(({ shown }) => shown))}::text[], ${ends}) AS k(code, shown, expires_at)
        ORDER BY code ON CONFLICT DO NOTHING RETURNING code`,
    )
    if (inserted.length === codes.size) return { inserted: inserted.length, updated: 0 }
    // Whoever grants holds the offer's row while codes are taken: behind it, no code is locked in another order.
    await rows(tx, sql`SELECT FROM offer_stocks WHERE campaign = ${campaign} AND offer = ${offer} FOR UPDATE`)
    const updated = carriesEnds
      ? await execute(
          tx,
          sql`UPDATE offer_codes o SET expires_at = k.expires_at FROM unnest(${names}, ${ends}) AS k(code, expires_at)
            WHERE o.code = k.code AND o.campaign = ${campaign} AND o.offer = ${offer} AND o.contact_id IS NULL
              AND o.expires_at IS DISTINCT FROM k.expires_at`,
        )
      : 0
    const elsewhere = await rows<{ code: string; pool: string }>(
      tx,
      sql`SELECT code, campaign || '.' || offer AS pool FROM offer_codes
        WHERE code = ANY(${names}) AND (campaign, offer) <> (${campaign}, ${offer})`,
    )
    const refused = elsewhere.flatMap(({ code, pool }) => {
      const row = codes.get(code)
      return row ? [{ line: row.line, raw: row.raw, reason: `code: it is one of ${pool}` }] : []
    })
    return { inserted: inserted.length, updated, refused }
  }
}

/**
 * Imports redemptions. A row without `key` is named by its code, or by the contact, the offer and the time, where it says
 * one, so that the same file twice changes nothing and the offer of the next lapse is not taken for this one. What is
 * refused goes to the reject file with the reason.
 */
export async function importRedemptions(
  database: Database,
  file: string,
  options: ImportOptions,
): Promise<ImportSummary> {
  const now = options.clock.now()
  return await importFile(database, file, options, {
    kind: 'redemptions',
    fields: REDEMPTION_FIELDS,
    required: [],
    lanes: 1,
    open: (getters) => {
      const read = claimReader(getters, {
        date: mappedDateReader(options.mapping),
        written: { currency: options.workspace.currency, decimal: options.mapping?.decimal },
        now,
      })
      return listWriter(read, (tx, claimed) => mergeClaims(tx, claimed, now))
    },
  })
}

/** A row that claims that something was redeemed. */
interface Claimed {
  readonly claim: RedemptionClaim
  readonly line: number
  readonly raw: string
}

/**
 * Reads a row's claim, or says why it is none.
 * @param now when it was redeemed where the row does not say
 */
function claimReader(
  getters: Getters,
  { date, written, now }: { readonly date: DateReader; readonly written: AmountWriting; readonly now: Date },
): (values: RowValues, row: FileRow, warn: (reason: string) => void) => Claimed | string {
  const text = textReader(getters)
  const amountOf = amountReader(written)
  return (values, { line, raw }, warn) => {
    const [code, externalId, offer] = [
      text('code', values),
      text('external_id', values),
      text('offer', values),
    ]
    const time = text('redeemed_at', values)
    const at = time === '' ? now.getTime() : date(getters.get('redeemed_at')?.(values))
    const key =
      text('key', values) || `file ${code || `${externalId} ${offer}${time === '' ? '' : ` ${at}`}`}`
    for (const [name, value] of Object.entries({ key, code, externalId, offer })) {
      const problem = unstorable(name, value)
      if (problem !== undefined) return problem
    }
    if (typeof at === 'string') return `redeemed_at: ${at}`
    const worth = text('value', values)
    const amount = amountOf(worth)
    if (typeof amount === 'string') return `value: "${worth}" is no amount`
    if ('foreign' in amount) warn(foreignValue(amount.foreign, written.currency))
    const value = 'micros' in amount ? amount.micros : null
    if (value !== null && !(value >= 0 && value <= 1e15)) return `value: "${worth}" is no amount`
    const given = (one: string) => (one === '' ? undefined : one)
    const claim = {
      key,
      at: new Date(at),
      code: given(code),
      externalId: given(externalId),
      offer: given(offer),
      ...(value === null ? {} : { value }),
    }
    return { claim, line, raw }
  }
}

async function mergeClaims(tx: Transaction, claimed: readonly Claimed[], now: Date): Promise<Merged> {
  const answers = await redeem(
    tx,
    now,
    claimed.map(({ claim }) => claim),
  )
  const erased = await erasedAmong(
    tx,
    claimed.map(({ claim }) => claim.externalId),
  )
  const refused = answers.flatMap((answer, no) => {
    const row = claimed[no]
    if (answer.outcome !== 'refused' || !row || erased.has(no)) return []
    return [{ line: row.line, reason: REFUSALS[answer.reason], raw: row.raw }]
  })
  const inserted = answers.filter(({ outcome }) => outcome === 'redeemed').length
  return { inserted, updated: 0, erased: erased.size, refused }
}
