import { type SQL, sql } from 'drizzle-orm/sql'
import { type Fact, since } from '../fact.ts'
import type { SignalSettings } from '../signal-settings.ts'
import { fitFact, fitted } from './fitted.ts'

// Recency, frequency, money: each contact against the quintiles of all who ever bought.

/**
 * 1 to 5 by the thresholds of a fit. By value and closed above: whoever has the same value has the same score, which
 * NTILE does not grant. NULL without a value or without a fit.
 */
function scoreSql(value: SQL, thresholds: SQL): SQL {
  const below = (place: number) =>
    sql`WHEN ${value} <= (${thresholds})[${sql.raw(String(place))}] THEN ${sql.raw(String(place))}`
  return sql`CASE WHEN ${value} IS NULL OR ${thresholds} IS NULL THEN NULL
    ${below(1)} ${below(2)} ${below(3)} ${below(4)} ELSE 5 END`
}

/** Reversed: whoever bought last scores 5. */
const recency = (now: Date) =>
  sql`(6 - (${scoreSql(since(sql`a.last_order_at`, now), fitted('recency', now))}))::numeric`
const bought = (value: SQL) => sql`CASE WHEN a.orders_count > 0 THEN ${value} END`
const frequency = (now: Date) =>
  sql`(${scoreSql(bought(sql`a.orders_count`), fitted('frequency', now))})::numeric`
const monetary = (now: Date) =>
  sql`(${scoreSql(bought(sql`a.orders_total`), fitted('monetary', now))})::numeric`
const use = (now: Date) =>
  sql`(${scoreSql(sql`CASE WHEN s.active_days > 0 THEN s.active_days END`, fitted('use', now))})::numeric`

/** The first rule whose ranges hold all three scores; NULL for those who never bought. */
function segmentSql(rules: SignalSettings['rfm']['segments'], now: Date): SQL {
  const scores = { recency: recency(now), frequency: frequency(now), monetary: monetary(now) }
  const cases = rules.map((rule) => {
    const ranges = (['recency', 'frequency', 'monetary'] as const).flatMap((name) => {
      const range = rule[name]
      return range ? [sql`k.${sql.identifier(name)} BETWEEN ${range.from}::int AND ${range.to}::int`] : []
    })
    return sql`WHEN ${ranges.length > 0 ? sql.join(ranges, sql` AND `) : sql`true`} THEN ${rule.segment}::text`
  })
  // The scores once, however many rules ask for them.
  return sql`(SELECT CASE WHEN k.recency IS NULL OR k.frequency IS NULL OR k.monetary IS NULL THEN NULL
      ${sql.join(cases, sql` `)} END
    FROM (SELECT ${scores.recency} AS recency, ${scores.frequency} AS frequency, ${scores.monetary} AS monetary OFFSET 0) k)`
}

/**
 * What somebody is worth against what more they could be: money spent × use made. Who uses a lot and spends little has
 * potential; who does neither is `light`, and deserves fewer touches. NULL before the first fit.
 */
function quadrantSql(settings: SignalSettings['quadrants'], now: Date): SQL {
  return sql`(SELECT CASE WHEN ${fitted('use', now)} IS NULL THEN NULL
      WHEN k.value AND k.potential THEN 'core' WHEN k.value THEN 'harvest' WHEN k.potential THEN 'grow' ELSE 'light' END
    FROM (SELECT coalesce(${monetary(now)} >= ${settings.value}::int, false) AS value,
      coalesce(${use(now)} >= ${settings.potential}::int, false) AS potential OFFSET 0) k)`
}

export function rfmFacts(settings: SignalSettings): Fact[] {
  return [
    fitFact(
      'rfm.recency',
      'number',
      '5 for the fifth that bought last, 1 for the one that bought longest ago',
      recency,
    ),
    fitFact('rfm.frequency', 'number', '5 for the fifth with the most orders', frequency),
    fitFact('rfm.monetary', 'number', '5 for the fifth that spent most', monetary),
    fitFact('rfm.segment', 'string', 'The first of the rules `signals.rfm.segments` that matches', (now) =>
      segmentSql(settings.rfm.segments, now),
    ),
    fitFact('use.score', 'number', '5 for the fifth that was active on most days', use),
    {
      ...fitFact(
        'quadrant',
        'string',
        'Value × potential: core, harvest (spends, uses little), grow (uses, spends little) or light',
        (now) => quadrantSql(settings.quadrants, now),
      ),
      values: ['core', 'harvest', 'grow', 'light'],
    },
  ]
}
