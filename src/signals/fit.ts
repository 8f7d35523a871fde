import { sql } from 'drizzle-orm'
import { earlier } from '../clock.ts'
import { SILENCE_BANDS } from '../config/facts/return.ts'
import type { SignalSettings } from '../config/signal-settings.ts'
import { execute, rows, type Session } from '../database/connect.ts'
import { areaUnderCurve, type CalibrationRow, calibrate } from '../statistics/ranking.ts'
import {
  fitReturnModel,
  type History,
  type ReturnModel,
  returnProbability,
} from '../statistics/return-model.ts'
import type { SignalRules } from './history.ts'

// What is learnt of everybody together: the quintiles of value, and the return model. Kept by the moment of the fit, so
// that a replay, which fits by its own clock, knows only what could be known then.

const WEEK = 604_800
/** Histories the model is fitted to: beyond that its parameters move in the third digit, and a fit takes seconds. */
const SAMPLE = 20_000
/** Below this a band of silence says nothing of its own. */
const BAND_MINIMUM = 20

/** What an earlier model foresaw against what then happened. */
export interface Calibration {
  /** The model knew nothing after this. */
  readonly cutoff: string
  /** Seconds. */
  readonly horizon: number
  /** Those active by the cutoff, of the sample that the model is fitted to. */
  readonly people: number
  readonly model: ReturnModel
  /** Mean probability, and the share that came back. */
  readonly foreseen: number
  readonly seen: number
  /** Area under the curve of the model and of plain silence; null where nobody came back, or everybody did. */
  readonly auc: number | null
  readonly silenceAuc: number | null
  readonly rows: readonly CalibrationRow[]
}

/** Why there is no return model. */
export type Thinness = 'too_few_contacts' | 'too_few_repeaters' | 'not_converged' | 'at_the_edge'

/** What was learnt of everybody at one moment. */
export interface Fit {
  readonly fittedAt: Date
  readonly buyers: number
  readonly contacts: number
  readonly repeaters: number
  readonly model: ReturnModel | null
  readonly logLikelihood: number | null
  /** Share that came back within the horizon, by band of silence. */
  readonly silence: readonly number[] | null
  readonly note: Thinness | null
  readonly calibration: Calibration | null
}

/**
 * Fits quintiles and model as of a moment and keeps them. contact_signals must be current. The calibration is honest:
 * a second model, fitted to what was known one horizon ago, foretells the horizon since.
 */
export async function fitSignals(
  session: Session,
  rules: SignalRules,
  settings: SignalSettings['return'],
  now: Date,
): Promise<Fit> {
  const { contacts, repeaters } = await countHistories(session)
  const divisor = sampleDivisor(contacts)
  const thin: Thinness | null =
    contacts < settings.contacts
      ? 'too_few_contacts'
      : repeaters < settings.repeaters
        ? 'too_few_repeaters'
        : null
  const last = await readFit(session, now)
  const fitted = thin ? undefined : fitReturnModel(await readHistories(session, now, divisor), last?.model)
  const usable = fitted?.converged && !fitted.edge ? fitted : undefined
  const past = await readPast(session, rules, settings.horizon, now, divisor)
  const fit: Fit = {
    fittedAt: now,
    contacts,
    repeaters,
    buyers: 0,
    model: usable ? { r: usable.r, alpha: usable.alpha, a: usable.a, b: usable.b } : null,
    logLikelihood: usable?.logLikelihood ?? null,
    silence: silenceRates(past),
    note: thin ?? (usable ? null : fitted?.edge ? 'at_the_edge' : 'not_converged'),
    calibration: usable ? calibrateOn(past, settings.horizon, now, last?.calibration?.model) : null,
  }
  return { ...fit, buyers: await storeFit(session, fit) }
}

/** The model and its calibration look at one in so many contacts. */
export function sampleDivisor(contacts: number): number {
  return Math.max(1, Math.ceil(contacts / SAMPLE))
}

async function countHistories(session: Session): Promise<{ contacts: number; repeaters: number }> {
  const [row] = await rows<{ contacts: number; repeaters: number }>(
    session,
    sql`SELECT count(*) AS contacts, count(*) FILTER (WHERE active_days > 1) AS repeaters
        FROM contact_signals WHERE active_days > 0`,
  )
  return row ?? { contacts: 0, repeaters: 0 }
}

/** The sufficient histogram, in weeks. `divisor`: one in so many contacts, by a hash, the same at every fit. */
async function readHistories(session: Session, now: Date, divisor: number): Promise<History[]> {
  return await rows<History>(
    session,
    sql`SELECT active_days - 1 AS x, (last_day - first_day) / 7.0::float8 AS tx, count(*) AS count,
          greatest(extract(epoch FROM (${now.toISOString()}::timestamptz AT TIME ZONE 'UTC') - first_day::timestamp)::float8 / ${WEEK}::float8,
            (last_day - first_day) / 7.0::float8) AS t
        FROM contact_signals WHERE active_days > 0 AND ${sampled(sql`contact_id`, divisor)}
        GROUP BY active_days, first_day, last_day`,
  )
}

function sampled(contactId: ReturnType<typeof sql>, divisor: number) {
  return divisor === 1
    ? sql`true`
    : sql`(hashint8extended(${contactId}, 0) & 9223372036854775807) % ${divisor}::int = 0`
}

/** One contact as known one horizon ago, and whether they came back since. Times in weeks, silence in days. */
interface Past extends Omit<History, 'count'> {
  readonly silence: number
  readonly returned: boolean
}

/**
 * From the events themselves: what the signals were then is kept nowhere. Those of the sampled contacts alone are looked up,
 * once who they are is known: asked of each event, the sample would be found by reading all there are.
 */
async function readPast(
  session: Session,
  rules: SignalRules,
  horizon: number,
  now: Date,
  divisor: number,
): Promise<Past[]> {
  const cutoff = earlier(now, horizon).toISOString()
  const among =
    divisor === 1
      ? sql`true`
      : sql`contact_id = ANY (ARRAY(SELECT contact_id FROM contact_signals
          WHERE active_days > 0 AND ${sampled(sql`contact_id`, divisor)}))`
  return await rows<Past>(
    session,
    sql`SELECT days - 1 AS x, (last - first) / 7.0::float8 AS tx, returned,
          greatest(extract(epoch FROM (${cutoff}::timestamptz AT TIME ZONE 'UTC') - first::timestamp)::float8 / ${WEEK}::float8,
            (last - first) / 7.0::float8) AS t,
          extract(epoch FROM ${cutoff}::timestamptz - latest)::float8 / 86400 AS silence
        FROM (
          SELECT count(DISTINCT day) FILTER (WHERE known) AS days, min(day) FILTER (WHERE known) AS first,
            max(day) FILTER (WHERE known) AS last, max(occurred_at) FILTER (WHERE known) AS latest, bool_or(NOT known) AS returned
          FROM (
            SELECT contact_id, occurred_at, (occurred_at AT TIME ZONE 'UTC')::date AS day, occurred_at <= ${cutoff}::timestamptz AS known
            FROM activity WHERE type = ANY (${sql.param(rules.activity)}::text[]) AND occurred_at <= ${now.toISOString()}::timestamptz
              AND ${among}
          ) seen GROUP BY contact_id
        ) people WHERE days > 0`,
  )
}

/** By band of silence, the last one open. Null where there is too little past to say anything. */
function silenceRates(past: readonly Past[]): number[] | null {
  if (past.length < BAND_MINIMUM) return null
  const share = (some: readonly Past[]) => some.filter(({ returned }) => returned).length / some.length
  const overall = share(past)
  return [...SILENCE_BANDS, Number.POSITIVE_INFINITY].map((to, place) => {
    const from = SILENCE_BANDS[place - 1] ?? Number.NEGATIVE_INFINITY
    const band = past.filter(({ silence }) => silence >= from && silence < to)
    return band.length < BAND_MINIMUM ? overall : share(band)
  })
}

function calibrateOn(
  past: readonly Past[],
  horizon: number,
  now: Date,
  near: ReturnModel | undefined,
): Calibration | null {
  const repeaters = past.filter(({ x }) => x > 0).length
  if (repeaters < BAND_MINIMUM) return null
  const { r, alpha, a, b, converged, edge } = fitReturnModel(
    // Objects of one shape: copied with what else a row holds, each look at them took five times as long.
    past.map(({ x, tx, t }) => ({ x, tx, t, count: 1 })),
    near,
  )
  if (!converged || edge) return null
  const model = { r, alpha, a, b }
  const judged = past.map((each) => ({
    score: returnProbability(model, each, horizon / WEEK),
    silence: -each.silence,
    happened: each.returned ? 1 : 0,
    count: 1,
  }))
  const mean = (value: (each: (typeof judged)[number]) => number) =>
    judged.reduce((sum, each) => sum + value(each), 0) / judged.length
  return {
    cutoff: earlier(now, horizon).toISOString(),
    horizon,
    people: past.length,
    model,
    foreseen: mean(({ score }) => score),
    seen: mean(({ happened }) => happened),
    auc: toldApart(judged),
    silenceAuc: toldApart(judged.map((each) => ({ ...each, score: each.silence }))),
    rows: calibrate(judged),
  }
}

/** What is not a number is none in JSON either, and has to be said so. */
function toldApart(judged: Parameters<typeof areaUnderCurve>[0]): number | null {
  const area = areaUnderCurve(judged)
  return Number.isNaN(area) ? null : area
}

/**
 * Writes the fit with the quintiles, found in the same statement: type 7, as percentile_cont has it.
 * @returns how many contacts ever bought
 */
async function storeFit(session: Session, fit: Fit): Promise<number> {
  const { model } = fit
  const parameters = model ? [model.r, model.alpha, model.a, model.b] : null
  const fifths = sql`ARRAY[0.2, 0.4, 0.6, 0.8]::float8[]`
  const now = sql`${fit.fittedAt.toISOString()}::timestamptz`
  const silence = sql`extract(epoch FROM ${now} - last_order_at)::float8`
  await execute(
    session,
    sql`INSERT INTO signal_fits (fitted_at, buyers, recency, frequency, monetary, use, bgnbd, log_likelihood, contacts,
          repeaters, silence, note, calibration)
        SELECT ${now}, buyers, recency, frequency, monetary, use, ${sql.param(parameters)}::float8[], ${fit.logLikelihood}::float8,
          ${fit.contacts}::int, ${fit.repeaters}::int, ${sql.param(fit.silence)}::float8[], ${fit.note}::text,
          ${fit.calibration === null ? null : JSON.stringify(fit.calibration)}::jsonb
        FROM (SELECT count(*)::int AS buyers, percentile_cont(${fifths}) WITHIN GROUP (ORDER BY ${silence}) AS recency,
            percentile_cont(${fifths}) WITHIN GROUP (ORDER BY orders_count::float8) AS frequency,
            percentile_cont(${fifths}) WITHIN GROUP (ORDER BY orders_total::float8) AS monetary
          FROM contact_activity WHERE orders_count > 0) bought
        CROSS JOIN (SELECT percentile_cont(${fifths}) WITHIN GROUP (ORDER BY active_days::float8) AS use
          FROM contact_signals WHERE active_days > 0) used
        ON CONFLICT (fitted_at) DO NOTHING`,
  )
  const [stored] = await rows<{ buyers: number }>(
    session,
    sql`SELECT buyers FROM signal_fits WHERE fitted_at = ${now}`,
  )
  return stored?.buyers ?? 0
}

/** The fit that holds at a moment, the newest there was. */
export async function readFit(session: Session, now: Date): Promise<Fit | undefined> {
  const [row] = await rows<Omit<Fit, 'model'> & { bgnbd: number[] | null }>(
    session,
    sql`SELECT fitted_at AS "fittedAt", buyers, contacts, repeaters, bgnbd, log_likelihood AS "logLikelihood", silence, note,
          calibration
        FROM signal_fits WHERE fitted_at <= ${now.toISOString()}::timestamptz ORDER BY fitted_at DESC LIMIT 1`,
  )
  if (!row) return undefined
  const { bgnbd, ...fit } = row
  const [r, alpha, a, b] = bgnbd ?? []
  const whole = r !== undefined && alpha !== undefined && a !== undefined && b !== undefined
  return { ...fit, model: whole ? { r, alpha, a, b } : null }
}
