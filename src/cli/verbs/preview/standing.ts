import { sql } from 'drizzle-orm'
import { considerContact } from '../../../audience/consider.ts'
import type { CompiledCampaign, CompiledStep } from '../../../config/compiled.ts'
import { rows, type Session } from '../../../database/connect.ts'
import { ANSWERS, ENDS, OUTSIDE } from '../../../reports/reasons.ts'
import { type Speech, sentence } from '../../../reports/words.ts'

// Where a contact stands in a campaign: a step may read well and still never reach them.

/** A contact's place in a campaign with regard to one step. */
export type Standing =
  | { readonly kind: 'seed' }
  /** Not contacted, from the start or by a tier's own draw. */
  | { readonly kind: 'held_out'; readonly by: 'holdout' | 'control' | 'tier'; readonly since: Date }
  | { readonly kind: 'silenced'; readonly by: string; readonly since: Date }
  /** In the campaign and contacted; `place` is the step's tier against the one they are in. */
  | { readonly kind: 'treated'; readonly tier: string; readonly place: 'here' | 'ahead' | 'behind' }
  /** A run now would take them in, to be drawn into a group then. */
  | { readonly kind: 'next'; readonly tier: string; readonly place: 'here' | 'ahead' | 'behind' }
  /** A run now would not. `silentFor` (or the time since the date or event) and `firstTier` in seconds. */
  | {
      readonly kind: 'outside'
      readonly answer: string
      readonly silentFor: number | null
      readonly firstTier: number
    }

interface OpenEpisode {
  readonly arm: 'treated' | 'holdout' | 'control' | 'seed'
  readonly assignedAt: Date
  readonly silencedBy: string | null
  readonly silencedAt: Date | null
  readonly tierNo: number
  readonly tier: string | null
  readonly stageArm: 'treated' | 'holdout' | null
}

/** Reads where a contact stands; asks the very query that a run uses where they are in no open episode. */
export async function readStanding(
  session: Session,
  campaign: CompiledCampaign,
  step: CompiledStep,
  contactId: number,
  now: Date,
): Promise<Standing> {
  // The tier's name comes from the version the episode runs by, which may be another than the one on disk.
  const [episode] = await rows<OpenEpisode>(
    session,
    sql`
    SELECT e.arm, e.assigned_at AS "assignedAt", e.silenced_by AS "silencedBy", e.silenced_at AS "silencedAt",
      e.tier_no AS "tierNo", s.arm AS "stageArm",
      (SELECT p.tier FROM steps p WHERE p.campaign = e.campaign AND p.version = e.version AND p.tier_no = e.tier_no
        LIMIT 1) AS tier
    FROM episodes e
    LEFT JOIN stages s ON s.contact_id = e.contact_id AND s.episode_id = e.episode_id AND s.tier_no = e.tier_no
    WHERE e.contact_id = ${contactId} AND e.campaign = ${campaign.name} AND e.ended_at IS NULL`,
  )
  if (episode) return standingIn(episode, campaign, step)
  const { answer, tier, since } = await considerContact(session, campaign, contactId, now)
  if (answer === 'seed') return { kind: 'seed' }
  if (answer === 'opened' && tier !== null)
    return { kind: 'next', tier, place: placeOf(campaign, step, tier) }
  const silentFor = since === null ? null : (now.getTime() - since.getTime()) / 1000
  return { kind: 'outside', answer, silentFor, firstTier: campaign.tiers[0]?.from ?? 0 }
}

function standingIn(episode: OpenEpisode, campaign: CompiledCampaign, step: CompiledStep): Standing {
  const { arm, assignedAt, silencedBy, silencedAt, stageArm } = episode
  if (arm === 'seed') return { kind: 'seed' }
  if (arm !== 'treated') return { kind: 'held_out', by: arm, since: assignedAt }
  if (silencedBy !== null) return { kind: 'silenced', by: silencedBy, since: silencedAt ?? assignedAt }
  if (stageArm === 'holdout') return { kind: 'held_out', by: 'tier', since: assignedAt }
  const tier = episode.tier ?? String(episode.tierNo)
  return { kind: 'treated', tier, place: placeOf(campaign, step, tier) }
}

function placeOf(campaign: CompiledCampaign, step: CompiledStep, tier: string): 'here' | 'ahead' | 'behind' {
  const no = campaign.tiers.find(({ name }) => name === tier)?.no ?? 0
  return step.tierNo === no ? 'here' : step.tierNo > no ? 'ahead' : 'behind'
}

/** Whether what the step would say is what the contact gets, as far as the campaign goes. */
export function getsIt(standing: Standing): boolean {
  return standing.kind === 'seed' || (standing.kind === 'treated' && standing.place === 'here')
}

/** A standing as a sentence or two. */
export function standingText(standing: Standing, step: CompiledStep, speech: Speech): string {
  const { language } = speech
  const en = language === 'en'
  const place = (in_: { place: 'here' | 'ahead' | 'behind' }) =>
    ({
      here: '',
      ahead: en
        ? ` This step belongs to the later tier ${step.tier}.`
        : `该步骤属于之后的阶段 ${step.tier}。`,
      behind: en
        ? ` This step belongs to the earlier tier ${step.tier}, which is over for them.`
        : `该步骤属于之前的阶段 ${step.tier}，已经过去。`,
    })[in_.place]
  switch (standing.kind) {
    case 'seed':
      return en
        ? 'A seed: gets every message and is never counted.'
        : '种子联系人：收到全部消息，不计入统计。'
    case 'held_out': {
      const since = speech.moment(standing.since)
      if (standing.by === 'tier') {
        return en
          ? 'Held out by a tier’s own draw: not contacted until the end.'
          : '由阶段内抽样分入对照组：直到结束都不触达。'
      }
      const whose =
        standing.by === 'control' ? (en ? ', in the workspace’s control group' : '，全局对照组') : ''
      return en
        ? `Held out: not contacted${whose}, since ${since}.`
        : `对照组：不触达${whose}，自 ${since} 起。`
    }
    case 'silenced': {
      const by =
        standing.by === 'returned' ? (en ? 'came back' : '已经回来') : sentence(ENDS, standing.by, language)
      return en
        ? `Nothing more is sent since ${speech.moment(standing.since)}: ${by}.`
        : `自 ${speech.moment(standing.since)} 起不再发送：${by}。`
    }
    case 'treated':
      return en
        ? `In the campaign, in tier ${standing.tier}, in the group that is contacted.${place(standing)}`
        : `已在活动中，阶段 ${standing.tier}：触达组。${place(standing)}`
    case 'next':
      return en
        ? `Not in the campaign yet; the next run would take them in, in tier ${standing.tier}, and draw their group.${place(standing)}`
        : `尚未进入活动；下次运行会将其纳入阶段 ${standing.tier} 并抽取分组。${place(standing)}`
    case 'outside': {
      const { answer, silentFor, firstTier } = standing
      if (answer === 'too_recent' && silentFor !== null) {
        return en
          ? `Not in the campaign: silent for ${span(silentFor, speech)}; the first tier begins at ${span(firstTier, speech)}.`
          : `未进入活动：已沉默 ${span(silentFor, speech)}，第一阶段从 ${span(firstTier, speech)}开始。`
      }
      const why = sentence({ ...ANSWERS, ...OUTSIDE }, answer, language)
      return en ? `Not in the campaign: ${why}.` : `未进入活动：${why}。`
    }
  }
}

/** Whole days from two on, else whole hours. */
function span(seconds: number, speech: Speech): string {
  const [unit, length] = seconds >= 172_800 || seconds % 86_400 === 0 ? ['day', 86_400] : ['hour', 3600]
  return new Intl.NumberFormat(speech.locale, {
    style: 'unit',
    unit: String(unit),
    unitDisplay: 'long',
  }).format(Math.floor(seconds / Number(length)))
}
