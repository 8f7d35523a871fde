import { MINIMUM_RECALLS } from '../statistics/sequence.ts'
import type { Effect, SplitCheck, Verdict } from './effect.ts'
import type { Tone } from './sheet.ts'
import { alarmingP, bracketed, type Speech, span } from './words.ts'

// The sentences a reader takes away. Each says what is known, of how many, and how sure.

/** What a verdict is spoken from. */
type Judged = {
  readonly overall: Effect
  readonly verdict: Verdict
  readonly split: Pick<SplitCheck, 'holdouts'>
}

/** One sentence above all figures: what the campaign did. */
export function verdictSentence(data: Judged, speech: Speech): string {
  const { verdict, overall } = data
  const en = speech.language === 'en'
  const n = speech.count
  const { treated, heldOut, recalls, difference } = overall
  const natural = heldOut.rate.kind === 'estimate' ? speech.percent(heldOut.rate.value) : ''
  switch (verdict.kind) {
    case 'groups_off':
      return en
        ? 'Groups are off, no conclusion: see the line above for what does not fit.'
        : '分组异常，结论不可用：原因见上。'
    case 'not_yet':
      return notYet(data, speech)
    default: {
      if (recalls.kind !== 'estimate' || difference.kind !== 'estimate') return notYet(data, speech)
      const range = en
        ? `95 % interval ${n(recalls.low)} to ${n(recalls.high)}`
        : `95% 区间 ${n(recalls.low)} 至 ${n(recalls.high)}`
      if (verdict.kind === 'won_back') {
        return en
          ? `Won back by us: ${n(recalls.value)} (${range}) of ${n(treated.matured)} contacted; ${natural} would have come back anyway.`
          : `多召回的人数：${n(recalls.value)}（${range}），触达 ${n(treated.matured)} 人；${natural} 的人不触达也会回来。`
      }
      if (verdict.kind === 'harm') {
        return en
          ? `Fewer came back because of the contact: ${n(recalls.value)} (${range}) of ${n(treated.matured)} contacted; ${natural} would have come back anyway.`
          : `触达后回来的人反而更少：${n(recalls.value)}（${range}），触达 ${n(treated.matured)} 人；${natural} 的人不触达也会回来。`
      }
      const raw = speech.percent(treated.recalled / treated.matured)
      return en
        ? `No effect shown: ${raw} of ${n(treated.matured)} contacted came back, ${natural} of ${n(heldOut.matured)} not contacted did too; the difference (${n(recalls.value)}, ${range}) may be chance.${oneLook(overall, speech)}${neededSentence(overall, speech)}`
        : `未见效果：触达 ${n(treated.matured)} 人中 ${raw} 回来，未触达的 ${n(heldOut.matured)} 人中也有 ${natural} 回来；差值（${n(recalls.value)}，${range}）可能只是偶然。${oneLook(overall, speech)}${neededSentence(overall, speech)}`
    }
  }
}

/** How a verdict is coloured. */
export function verdictTone({ kind }: Verdict): Tone {
  return kind === 'won_back' ? 'good' : kind === 'harm' || kind === 'groups_off' ? 'bad' : 'plain'
}

/** Where the interval beside a difference that may be chance does not hold nought: why it may be chance all the same. */
export function oneLook({ difference, sequence }: Effect, speech: Speech): string {
  if (difference.kind !== 'estimate' || sequence.kind !== 'estimate') return ''
  if (difference.low <= 0 && difference.high >= 0) return ''
  const daily = span(speech.points, sequence)
  return speech.language === 'en'
    ? ` That interval is for one look on a day fixed beforehand; for daily looks it is ${daily} points.`
    : `该区间只对事先定好的一次查看有效；每天查看的区间为 ${daily} 个百分点。`
}

/** What it would take to know, where some number would do: beyond a million, nobody waits for it. */
function neededSentence({ recallsNeeded }: Effect, speech: Speech): string {
  if (recallsNeeded === undefined || recallsNeeded === 0 || recallsNeeded > 1e6) return ''
  const needed = speech.count(recallsNeeded)
  return speech.language === 'en'
    ? ` If the rates stay as they are, ${needed} more must come back in the group not contacted before it can be told.`
    : `若召回率保持不变，对照组还需 ${needed} 人回来才能下结论。`
}

function notYet({ verdict, overall, split }: Judged, speech: Speech): string {
  const en = speech.language === 'en'
  const n = speech.count
  const { treated, heldOut } = overall
  const why = verdict.kind === 'not_yet' ? verdict.why : 'pending'
  const pending = treated.pending + heldOut.pending
  switch (why) {
    case 'nobody':
      return en ? 'Not yet: nobody has been assigned.' : '暂无结论：还没有人进入分组。'
    case 'no_holdout': {
      const shares = split.holdouts.filter((share) => share > 0).map(speech.percent)
      // Few were taken in, of whom nobody happened to be drawn: there is nothing to be set.
      if (shares.length > 0)
        return en
          ? `Not yet: of ${n(treated.assigned)} taken in so far, nobody was drawn to be left uncontacted (${shares.join(', ')} are), so there is nobody to compare with yet.`
          : `暂无结论：目前纳入的 ${n(treated.assigned)} 人中还没有人被抽为对照组（比例 ${shares.join('、')}），暂无可供比较的人。`
      return en
        ? 'Not yet: nobody is left uncontacted to compare with, so what we won back cannot be told from who would have come back anyway. Set `holdout`.'
        : '暂无结论：没有未触达的人可供比较，无法区分多召回的人和不触达也会回来的人。请设置 `holdout`。'
    }
    case 'pending':
      return en
        ? `Not yet: observation is complete for ${n(treated.matured)} contacted and ${n(heldOut.matured)} not contacted; ${n(pending)} are still open.`
        : `暂无结论：观察期已满的触达组 ${n(treated.matured)} 人、对照组 ${n(heldOut.matured)} 人；${n(pending)} 人仍在观察中。`
    case 'few_recalls':
      // Several shares, and the recalls of the held out are mostly of another than most of the contacted are.
      if (Math.min(treated.recalled, heldOut.recalled) >= MINIMUM_RECALLS)
        return en
          ? `Not yet: the share held out was changed on the way, and of those not contacted too few came back in the time that most were contacted in.`
          : `暂无结论：对照组比例中途变更过，在多数人被触达的时期里，对照组回来的人太少。`
      return en
        ? `Not yet: ${n(treated.recalled)} contacted and ${n(heldOut.recalled)} not contacted came back; at least ${MINIMUM_RECALLS} in each are needed${pending > 0 ? `, and ${n(pending)} are still open` : ''}.`
        : `暂无结论：触达组回来 ${n(treated.recalled)} 人，对照组回来 ${n(heldOut.recalled)} 人；每组至少需要 ${MINIMUM_RECALLS} 人${pending > 0 ? `，另有 ${n(pending)} 人仍在观察中` : ''}。`
  }
}

/** The sample-ratio alarm: what was drawn, what is there. Undefined where the split is right. */
export function alarmSentence({ split }: { readonly split: SplitCheck }, speech: Speech): string | undefined {
  if (!split.alarm) return undefined
  const en = speech.language === 'en'
  const arms = split.arms
    .filter((arm) => arm.expected > 0 || arm.observed > 0)
    .map((arm) =>
      en
        ? `${speech.word(arm.arm)} ${speech.count(arm.observed)} where ${speech.count(arm.expected)} were due`
        : `${speech.word(arm.arm)} ${speech.count(arm.observed)} 人，应为 ${speech.count(arm.expected)} 人`,
    )
    .join(en ? '; ' : '；')
  const p = split.test.kind === 'tested' && split.test.alarm ? bracketed(alarmingP(split.test.p), speech) : ''
  return en ? `GROUPS ARE OFF, NO CONCLUSION: ${arms}${p}.` : `分组异常，结论不可用：${arms}${p}。`
}

/**
 * What is not known of the split, and how groups of several shares were compared: versions whose share held out can no longer
 * be read were not checked; and who has nobody to be compared with is left out, which has to be said.
 */
export function splitNotes(
  { split, overall }: { readonly split: SplitCheck; readonly overall: Pick<Effect, 'uncompared'> },
  speech: Speech,
): string[] {
  const en = speech.language === 'en'
  const notes: string[] = []
  if (split.unknownVersions.length > 0) {
    const versions = split.unknownVersions.join(en ? ', ' : '、')
    notes.push(
      en
        ? `The split of ${split.unknownVersions.length === 1 ? `version ${versions} is not known; its` : `versions ${versions} is not known; their`} groups were not checked.`
        : `版本 ${versions} 的分组比例未知，未做检查。`,
    )
  }
  if (split.holdouts.length > 1) {
    const shares = split.holdouts.map(speech.percent).join(en ? ', ' : '、')
    notes.push(
      en
        ? `The share held out was changed on the way (${shares}): groups with different shares are compared each within itself, and the rate of those not contacted is that of the seasons the contacted came in.`
        : `对照组比例中途变更过（${shares}）：不同比例的分组各自在内部比较，对照组召回率按触达组所处的时期加权。`,
    )
  }
  for (const { tier, holdouts } of split.tierHoldouts) {
    const shares = holdouts.map(speech.percent).join(en ? ', ' : '、')
    notes.push(
      en
        ? `The share that ${tier} holds out by its own draw was changed on the way (${shares}): in what the tier adds and costs, each share is compared within itself.`
        : `阶段 ${tier} 自身的对照比例中途变更过（${shares}）：其效果与成本按不同比例各自在内部比较。`,
    )
  }
  if (overall.uncompared > 0) {
    const n = speech.count(overall.uncompared)
    notes.push(
      en
        ? `${n} contacted whose observation is complete have nobody to be compared with, for nobody is held out beside them: they are in no figure of what we won back.`
        : `${n} 名观察期已满的触达者没有可供比较的对照组：不计入多召回的人数等任何增量数字。`,
    )
  }
  return notes
}
