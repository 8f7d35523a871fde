import { sql } from 'drizzle-orm'
import { rows } from '../database/connect.ts'
import { sampleRatio } from '../statistics/sample-ratio.ts'
import { addCounts, type Effect, effectOf, type Verdict, verdictOf } from './effect.ts'
import type { ProgrammeCell } from './people-sql.ts'
import type { CampaignQuestion } from './question.ts'
import { inSnapshot, type Readable } from './snapshot.ts'

// All campaigns together against the control group, whom none of them touches: the one figure that gains of campaigns, which
// do not add up, are no part of. Control is sticky, so that each person's first lapse alone is compared: those who were
// recalled lapse again, and their mix differs between the groups. Both sides are over everybody taken in, those whom a
// campaign held out included.

export interface ProgrammeData {
  readonly now: Date
  /** Of persons no campaign ever touches, as the workspace says today. */
  readonly share: number
  /** The taken in against the control group; undefined where nobody of it was ever taken in. */
  readonly effect: Effect | undefined
  readonly verdict: Verdict
}

/**
 * The first lapses in the programme against those of the control group. A version that kept nobody out has nobody to be
 * compared with: its people came at other times, and what season they came in would pass for an effect.
 */
export function effectOfProgramme(cells: readonly ProgrammeCell[]): Effect | undefined {
  const compared = comparable(cells)
  if (compared.length === 0) return undefined
  return effectOf(
    addCounts(compared.filter(({ control }) => !control)),
    addCounts(compared.filter(({ control }) => control)),
  )
}

function comparable(cells: readonly ProgrammeCell[]): ProgrammeCell[] {
  const keyOf = ({ campaign, version }: ProgrammeCell) => JSON.stringify([campaign, version])
  const kept = new Set(cells.filter(({ control, assigned }) => control && assigned > 0).map(keyOf))
  return cells.filter((cell) => kept.has(keyOf(cell)))
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
  const cells = await inSnapshot(readable, (session) =>
    rows<ProgrammeCell>(
      session,
      sql`
      SELECT campaign, version, arm = 'control' AS control, sum(firsts)::bigint AS assigned, 0 AS contaminated,
        coalesce(sum(firsts) FILTER (WHERE final_at <= ${now}), 0)::bigint AS matured,
        coalesce(sum(firsts_recalled) FILTER (WHERE final_at <= ${now}), 0)::bigint AS recalled
      FROM report_people WHERE day <= (${now}::timestamptz AT TIME ZONE 'UTC')::date GROUP BY 1, 2, 3`,
    ),
  )
  const effect = effectOfProgramme(cells)
  const alarm = isOff(comparable(cells), questions)
  return {
    now,
    share,
    effect,
    verdict: effect ? verdictOf(effect, alarm) : { kind: 'not_yet', why: 'no_holdout' },
  }
}

/** Whether the control group has the size it was drawn with, each version by its own share. */
function isOff(
  cells: readonly ProgrammeCell[],
  questions: readonly Pick<CampaignQuestion, 'campaign' | 'split'>[],
): boolean {
  const observed = { control: 0, others: 0 }
  const expected = { control: 0, others: 0 }
  for (const { campaign, version, control, assigned } of cells) {
    const share = questions.find((each) => each.campaign === campaign)?.split.get(version)?.control
    if (share === undefined) continue
    observed[control ? 'control' : 'others'] += assigned
    expected.control += share * assigned
    expected.others += (1 - share) * assigned
  }
  const test = sampleRatio(
    (['control', 'others'] as const).map((group) => ({
      observed: observed[group],
      expected: expected[group],
    })),
  )
  return test.kind === 'tested' && test.alarm
}
