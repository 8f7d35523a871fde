import { type SQL, sql } from 'drizzle-orm'
import {
  type Database,
  execute,
  preparedRows,
  rows,
  type Session,
  type Transaction,
  transaction,
} from '../../database/connect.ts'
import { type Claimed, heldSql, writeHolds } from './holds.ts'

// What a campaign may cost. A batch holds the upper bound of what it is about to spend until all of it is settled and
// booked; `spent + held ≤ budget` is decided under the lock on the budget's row. What was booked since is folded in by
// whoever decides next, so that settling never waits for that row.

export interface Budget {
  readonly campaign: string
  readonly kind: 'spend' | 'liability'
  /** Micros. */
  readonly most: number
  /** Of each local day in `zone`, or of the whole campaign. */
  readonly per: 'day' | null
  /** IANA zone of the campaign. */
  readonly zone: string
  /** Of liability: a provider may have been asked to credit some of its offers. */
  readonly credited?: boolean
}

/** No budget is larger, so what is spent or held need not be told beyond it: a number holds all up to here exactly. */
const ENOUGH = sql.raw(String(Number.MAX_SAFE_INTEGER))

/** Why there is nothing left for a touchpoint. */
export interface Shortage {
  readonly budget: Budget
  /** It would do, but for what other batches hold: they may give some of it back. */
  readonly held: boolean
}

/**
 * Makes the row of each budget that has none, with what the ledger holds for the campaign. The ledger is locked against
 * writers meanwhile, once for each campaign: nothing is booked unseen between the sum and the row.
 */
export async function openBudgets(database: Database, budgets: readonly Budget[]): Promise<void> {
  for (const { campaign, kind, zone } of budgets) {
    const known = await rows(
      database,
      sql`SELECT FROM budgets WHERE campaign = ${campaign} AND kind = ${kind}`,
    )
    if (known.length > 0) continue
    await transaction(database, async (tx) => {
      await execute(tx, sql`LOCK TABLE ledger IN SHARE MODE`)
      await execute(
        tx,
        sql`
        WITH opened AS (
          INSERT INTO budgets (campaign, kind) VALUES (${campaign}, ${kind}) ON CONFLICT DO NOTHING RETURNING campaign
        )
        INSERT INTO budget_days (campaign, kind, day, spent)
        SELECT ${campaign}, ${kind}, (l.booked_at AT TIME ZONE ${zone})::date, sum(l.amount)
        FROM ledger l JOIN steps s USING (step_id)
        WHERE s.campaign = ${campaign} AND l.kind = ${kind} AND EXISTS (SELECT FROM opened)
        GROUP BY 3`,
      )
    })
  }
}

/**
 * Holds what a batch may cost, as far as the budgets go, in the order given. To be called last in a transaction; the
 * rows of the budgets stay locked to its end.
 * @param budgets of one campaign
 * @returns the touchpoints for which there is nothing left, with the budget that falls short; undefined where a budget
 *   has no row yet (see {@link openBudgets})
 */
export async function holdBudgets(
  tx: Transaction,
  claimId: string,
  budgets: readonly Budget[],
  now: Date,
  claimed: readonly Claimed[],
): Promise<Map<number, Shortage> | undefined> {
  const spending = await lockedSpending(tx, claimId, budgets, now)
  if (!spending) return undefined
  const short = new Map<number, Shortage>()
  const mine = { spend: 0, liability: 0 }
  const accepted: Claimed[] = []
  for (const claim of claimed) {
    const shortage = shortageOf(claim, budgets, spending, mine)
    if (shortage) short.set(claim.touchpointId, shortage)
    if (shortage && !claim.asked) continue
    const spend = shortage ? 0 : claim.spend
    mine.spend += spend
    mine.liability += claim.liability
    accepted.push({ ...claim, spend })
  }
  await writeHolds(tx, claimId, budgets, accepted)
  return short
}

/** What {@link holdBudgets} would say of one message at this moment, holding nothing. */
export async function foreseeShortage(
  session: Session,
  budgets: readonly Budget[],
  now: Date,
  claim: Claimed,
): Promise<Shortage | undefined> {
  const [first] = budgets
  if (!first) return undefined
  const { campaign, zone } = first
  // The ledger itself: whether a budget has its row yet makes no difference, and what was just booked is there.
  const found = await rows<Spending & { kind: string }>(
    session,
    sql`
    SELECT b.kind, least(${ENOUGH}, coalesce((SELECT sum(l.amount) FROM ledger l JOIN steps s USING (step_id)
        WHERE s.campaign = ${campaign} AND l.kind = b.kind AND (NOT b.daily
          OR (l.booked_at AT TIME ZONE ${zone}::text)::date = (${now}::timestamptz AT TIME ZONE ${zone}::text)::date)), 0))::bigint
        AS spent,
      least(${ENOUGH}, ${heldSql(campaign)}${askedSql(budgets, null)})::bigint AS held
    FROM unnest(${sql.param(budgets.map(({ kind }) => kind))}::text[],
      ${sql.param(budgets.map(({ per }) => per === 'day'))}::boolean[]) AS b(kind, daily)`,
  )
  const spending = new Map(found.map((row) => [row.kind, row]))
  return shortageOf(claim, budgets, spending, { spend: 0, liability: 0 })
}

/** What is spent for good says no first: waiting for what others hold would not help. */
function shortageOf(
  claim: Claimed,
  budgets: readonly Budget[],
  spending: ReadonlyMap<string, Spending>,
  mine: { readonly spend: number; readonly liability: number },
): Shortage | undefined {
  const lacking = budgets.flatMap((budget): Shortage[] => {
    const { spent, held } = spending.get(budget.kind) ?? { spent: 0, held: 0 }
    const left = budget.most - spent - mine[budget.kind]
    if (claim[budget.kind] <= Math.max(0, left - held)) return []
    return [{ budget, held: claim[budget.kind] <= Math.max(0, left) }]
  })
  return lacking.find(({ held }) => !held) ?? lacking[0]
}

/** Micros of a budget, in its day or in all. */
interface Spending {
  readonly spent: number
  /** By batches under way, at most. */
  readonly held: number
}

/**
 * Locks the budgets of a campaign, folds in what was booked since, and says what is spent and held of each, in its day or
 * in all. Two statements, however many budgets: lock; fold and look.
 */
async function lockedSpending(
  tx: Transaction,
  claimId: string,
  budgets: readonly Budget[],
  now: Date,
): Promise<Map<string, Spending> | undefined> {
  const [first] = budgets
  if (!first) return new Map()
  const { campaign, zone } = first
  const kinds = sql`${sql.param(budgets.map(({ kind }) => kind))}::text[]`
  const locked = await preparedRows(
    tx,
    sql`SELECT FROM budgets WHERE campaign = ${campaign} AND kind = ANY (${kinds}) ORDER BY kind FOR UPDATE`,
  )
  if (locked.length < budgets.length) return undefined
  const today = sql`(${now}::timestamptz AT TIME ZONE ${zone}::text)::date`
  // What is folded in is not in the day's sum yet for this statement: it is added here.
  const found = await preparedRows<Spending & { kind: string }>(
    tx,
    sql`
    WITH booked AS MATERIALIZED (
      DELETE FROM budget_entries WHERE campaign = ${campaign} AND kind = ANY (${kinds})
      RETURNING kind, (booked_at AT TIME ZONE ${zone}::text)::date AS day, amount
    ), folded AS (
      INSERT INTO budget_days AS d (campaign, kind, day, spent)
      SELECT ${campaign}::text, kind, day, sum(amount) FROM booked GROUP BY 2, 3
      ON CONFLICT (campaign, kind, day) DO UPDATE SET spent = d.spent + excluded.spent
    )
    SELECT b.kind, least(${ENOUGH}, coalesce((SELECT sum(spent) FROM budget_days d WHERE d.campaign = ${campaign} AND d.kind = b.kind
        AND (NOT b.daily OR d.day = ${today})), 0)
      + coalesce((SELECT sum(n.amount) FROM booked n WHERE n.kind = b.kind AND (NOT b.daily OR n.day = ${today})), 0)
      )::bigint AS spent,
      least(${ENOUGH}, ${heldSql(campaign)}${askedSql(budgets, claimId)})::bigint AS held
    FROM unnest(${kinds}, ${sql.param(budgets.map(({ per }) => per === 'day'))}::boolean[]) AS b(kind, daily)`,
  )
  return new Map(found.map((row) => [row.kind, row]))
}

/**
 * What is to be added to what is held of `b`, a budget: the grants a provider was asked to credit and gave no answer about.
 * Their batch is over, and the account may have them. A claim that asks again holds them itself.
 */
function askedSql(budgets: readonly Budget[], claimId: string | null): SQL {
  const [asked] = budgets.filter(({ kind, credited }) => kind === 'liability' && credited)
  if (!asked) return sql``
  return sql` + CASE b.kind WHEN 'liability' THEN coalesce((SELECT sum(g.expected) FROM grants g
      WHERE g.state = 'reserved' AND g.credit = 'asking' AND g.campaign = ${asked.campaign}
        AND g.claim_id IS DISTINCT FROM ${claimId}::uuid
        AND NOT EXISTS (SELECT FROM budget_holds h
          WHERE h.claim_id = g.claim_id AND h.campaign = g.campaign AND h.kind = 'liability')), 0) ELSE 0 END`
}
