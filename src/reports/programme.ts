import { sql } from 'drizzle-orm'
import { rows } from '../database/connect.ts'
import { sampleRatio } from '../statistics/sample-ratio.ts'
import { addCounts, type Effect, effectOfStrata, type Verdict, verdictOf } from './effect.ts'
import { type Freshness, readFreshness } from './freshness.ts'
import { knownAt, WHEN_COUNTED } from './people-cells.ts'
import { CONTROL_SHARE, type ProgrammeCell } from './people-sql.ts'
import type { CampaignQuestion } from './question.ts'
import { inSnapshot, type Readable } from './snapshot.ts'
import { groupBy } from './strata.ts'

// All campaigns together against the control group, whom none of them touches: the one figure that gains of campaigns, which
// do not add up, are no part of. Control is sticky, so that each person's first lapse alone is compared: those who were
// recalled lapse again, and their mix differs between the groups. Both sides are over everybody taken in, those whom a
// campaign held out included.

export interface ProgrammeData {
  readonly now: Date
  readonly freshness: Freshness
  /** Of persons no campaign ever touches, as the workspace says today. */
  readonly share: number
  /** Those that were compared, each within itself, oldest first: several, where it was changed on the way. */
  readonly shares: readonly number[]
  /** The taken in against the control group; undefined where nobody of it was ever taken in. */
  readonly effect: Effect | undefined
  readonly verdict: Verdict
}

/**
 * The first lapses in the programme against those of the control group, each share of it within itself: where it was changed,
 * the season would pass for an effect. A share that kept nobody out has nobody to be compared with, and is no part of it.
 */
export function effectOfProgramme(cells: readonly ProgrammeCell[]): Effect | undefined {
  const strata = comparable(cells)
  if (strata.length === 0) return undefined
  return effectOfStrata(
    strata.map((own) => ({
      treated: addCounts(own.filter(({ control }) => !control)),
      heldOut: addCounts(own.filter(({ control }) => control)),
    })),
  )
}

/** By the share of the control group; a version of which it is not known is one of its own. */
function comparable(cells: readonly ProgrammeCell[]): ProgrammeCell[][] {
  const byShare = groupBy(cells, ({ share, campaign, version }) =>
    JSON.stringify(share ?? [campaign, version]),
  )
  return byShare.filter((own) => own.some(({ control, assigned }) => control && assigned > 0))
}

/**
 * From the sums as counted last.
 * @param questions every campaign, with what its versions drew with
 * @param share of the control group today, in [0, 1]
 */
export async function readProgramme(
  readable: Readable,
  questions: readonly Pick<CampaignQuestion, 'campaign' | 'split'>[],
  { now, share }: { readonly now: Date; readonly share: number },
): Promise<ProgrammeData> {
  const { cells, freshness } = await inSnapshot(readable, async (session) => ({
    freshness: await readFreshness(session, {}),
    cells: await rows<ProgrammeCell>(
      session,
      sql`
      SELECT p.campaign, p.version, p.arm = 'control' AS control, ${CONTROL_SHARE} AS share,
        sum(p.firsts)::bigint AS assigned, 0 AS contaminated,
        coalesce(sum(p.firsts) FILTER (WHERE p.final_at <= ${knownAt(now)}), 0)::bigint AS matured,
        coalesce(sum(p.firsts_recalled) FILTER (WHERE p.final_at <= ${knownAt(now)}), 0)::bigint AS recalled
      FROM report_people p ${WHEN_COUNTED} LEFT JOIN campaign_versions v ON v.campaign = p.campaign AND v.version = p.version
      WHERE p.day <= (${now}::timestamptz AT TIME ZONE 'UTC')::date GROUP BY 1, 2, 3 ORDER BY min(p.day)`,
    ),
  }))
  const effect = effectOfProgramme(cells)
  const compared = comparable(cells)
  const alarm = isProgrammeOff(
    cells,
    ({ campaign, version, share: drawn }) =>
      drawn ?? questions.find((each) => each.campaign === campaign)?.split.get(version)?.control,
  )
  return {
    now,
    freshness,
    share,
    shares: compared.flatMap(([cell]) => cell?.share ?? []),
    effect,
    verdict: effect ? verdictOf(effect, alarm) : { kind: 'not_yet', why: 'no_holdout' },
  }
}

/**
 * Whether the control group has not the size it was drawn with, each version by its own share: by first lapses, of which each
 * person has one. Somebody in it whose version has none is enough.
 * @param controlOf the share of it that a version drew with; undefined where that is not known
 */
export function isProgrammeOff(
  cells: readonly ProgrammeCell[],
  controlOf: (cell: ProgrammeCell) => number | undefined,
): boolean {
  const observed = { control: 0, others: 0 }
  const expected = { control: 0, others: 0 }
  for (const cell of comparable(cells).flat()) {
    const share = controlOf(cell)
    if (share === undefined) continue
    if (cell.control && share === 0 && cell.assigned > 0) return true
    observed[cell.control ? 'control' : 'others'] += cell.assigned
    expected.control += share * cell.assigned
    expected.others += (1 - share) * cell.assigned
  }
  const test = sampleRatio(
    (['control', 'others'] as const).map((group) => ({
      observed: observed[group],
      expected: expected[group],
    })),
  )
  return test.kind === 'tested' && test.alarm
}
