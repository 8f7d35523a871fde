import { MINIMUM_RECALLS } from '../statistics/sequence.ts'
import type { ArmFigures, Effect } from './effect.ts'
import { asOfText, freshnessLines } from './freshness.ts'
import { left, right } from './layout.ts'
import type { ProgrammeData } from './programme.ts'
import type { TextStyle } from './report.ts'
import { type Cell, type Sheet, type SheetTable, within, writing } from './sheet.ts'
import { oneLook, verdictTone } from './verdict-text.ts'
import { type Speech, span } from './words.ts'

// What all campaigns brought together, in words of both languages; and where that cannot be said, what is missing.

export function programmeSheet(data: ProgrammeData, style: TextStyle): Sheet {
  const { speech, en } = writing(style)
  return {
    name: 'programme',
    title: en ? 'All campaigns together' : '全部活动合计',
    about: [asOfText(data.now, speech), ...freshnessLines(data.freshness, data.now, speech)],
    sentences: [{ text: sentence(data, speech), tone: verdictTone(data.verdict) }],
    tables: [programmeTable(data, style)],
    charts: [],
    notes: data.effect ? notesOf(data.effect, data.shares, speech) : [],
  }
}

function notesOf({ uncompared }: Effect, compared: readonly number[], speech: Speech): string[] {
  const en = speech.language === 'en'
  const shares = compared.map(speech.percent).join(en ? ', ' : '、')
  const n = speech.count(uncompared)
  return [
    en
      ? 'Everybody a campaign took in, contacted or held out by it, against the control group that no campaign ever touches. Each person counts once, with the first lapse; the gains of single campaigns do not add up to this. The verdict holds however often one looks, the intervals for one look.'
      : '将活动纳入的所有人（含被活动留作对照的人）与任何活动都不触达的全局对照组相比。每人只计首次流失；各活动的增量相加不等于此数。结论不受查看次数影响，区间只对一次查看有效。',
    ...(compared.length > 1
      ? [
          en
            ? `The share of the control group was changed on the way (${shares}): people of different shares are compared each within itself, and the rate of the control group is that of the seasons the others were taken in.`
            : `全局对照组比例中途变更过（${shares}）：不同比例的人各自在内部比较，对照组召回率按活动纳入者所处的时期加权。`,
        ]
      : []),
    ...(uncompared > 0
      ? [
          en
            ? `${n} of those taken in have nobody of the control group to be compared with yet, and are in no figure.`
            : `${n} 名活动纳入者暂无可供比较的全局对照组成员，不计入任何数字。`,
        ]
      : []),
  ]
}

function programmeTable({ effect, verdict }: ProgrammeData, style: TextStyle): SheetTable {
  const { speech, cell, en } = writing(style)
  const w = speech.word
  const group = (name: string, { assigned, matured, recalled, rate }: ArmFigures): Cell[] => [
    cell.text(name),
    cell.count(assigned),
    cell.count(matured),
    cell.count(recalled),
    rate.kind === 'estimate' ? within(cell.percent(rate.value), rate) : cell.none,
    cell.text(rate.kind === 'estimate' ? span(speech.percent, rate) : w('notEnough')),
  ]
  const won = ({ difference, recalls }: Effect): Cell[] => {
    const known =
      difference.kind === 'estimate' && recalls.kind === 'estimate' && verdict.kind !== 'groups_off'
        ? { difference, recalls }
        : undefined
    return [
      cell.text(w('wonBack')),
      cell.none,
      cell.none,
      known ? within(cell.signed(known.recalls.value), known.recalls) : cell.none,
      known ? within(cell.points(known.difference.value), known.difference) : cell.none,
      cell.text(
        known
          ? span(speech.points, known.difference)
          : w(verdict.kind === 'groups_off' ? 'noConclusion' : 'notEnough'),
      ),
    ]
  }
  return {
    id: 'programme',
    title: en ? 'All campaigns together, by first lapse' : '全部活动合计（每人首次流失）',
    columns: [
      left(''),
      right(en ? 'people' : '人数'),
      right(w('matured')),
      right(en ? 'came back, of the complete' : '其中召回'),
      right(en ? 'rate; points' : '召回率；百分点'),
      left(w('interval')),
    ],
    rows: effect
      ? [
          group(en ? 'taken in' : '活动纳入', effect.treated),
          group(w('control'), effect.heldOut),
          won(effect),
        ]
      : [],
    empty: en ? 'There is nobody to compare with.' : '没有可供比较的人。',
  }
}

/** What all campaigns brought, or what is missing to say so. */
function sentence({ effect, verdict, share }: ProgrammeData, speech: Speech): string {
  const en = speech.language === 'en'
  const n = speech.count
  if (!effect) {
    if (share === 0)
      return en
        ? 'What all campaigns bring together cannot be told: nobody is kept out of all of them. Set `control: 5%` in winback.yaml and apply the campaigns again.'
        : '无法得知全部活动合计的效果：没有人被排除在所有活动之外。请在 winback.yaml 中设置 `control: 5%` 并重新应用活动。'
    return en
      ? `Not yet: of the control group (${speech.percent(share)} of people), nobody has lapsed since campaigns were applied with it.`
      : `暂无结论：自活动按全局对照组（占 ${speech.percent(share)}）应用以来，其中还没有人流失。`
  }
  const { treated, heldOut, recalls } = effect
  if (verdict.kind === 'groups_off')
    return en
      ? `GROUPS ARE OFF, NO CONCLUSION: the control group has ${n(heldOut.assigned)} people beside ${n(treated.assigned)} taken in, which is not the share it was drawn with.`
      : `分组异常，结论不可用：全局对照组 ${n(heldOut.assigned)} 人，活动纳入 ${n(treated.assigned)} 人，与抽取比例不符。`
  if (recalls.kind !== 'estimate' || heldOut.rate.kind !== 'estimate')
    return en
      ? `Not yet: observation is complete for ${n(treated.matured)} taken in and ${n(heldOut.matured)} of the control group; ${n(treated.pending + heldOut.pending)} are still open.`
      : `暂无结论：观察期已满的有活动纳入 ${n(treated.matured)} 人、全局对照组 ${n(heldOut.matured)} 人；${n(treated.pending + heldOut.pending)} 人仍在观察中。`
  if (verdict.kind === 'not_yet' && Math.min(treated.recalled, heldOut.recalled) >= MINIMUM_RECALLS)
    return en
      ? 'Not yet: the share of the control group was changed on the way, and too few of it came back in the time that most were taken in.'
      : '暂无结论：全局对照组比例中途变更过，在多数人被纳入的时期里，对照组回来的人太少。'
  if (verdict.kind === 'not_yet')
    return en
      ? `Not yet: ${n(treated.recalled)} of those taken in and ${n(heldOut.recalled)} of the control group came back; at least ${MINIMUM_RECALLS} in each are needed.`
      : `暂无结论：活动纳入者回来 ${n(treated.recalled)} 人，全局对照组回来 ${n(heldOut.recalled)} 人；每组至少需要 ${MINIMUM_RECALLS} 人。`
  const natural = speech.percent(heldOut.rate.value)
  const range = en
    ? `95 % interval ${speech.signed(recalls.low)} to ${speech.signed(recalls.high)}`
    : `95% 区间 ${speech.signed(recalls.low)} 至 ${speech.signed(recalls.high)}`
  const of = n(treated.matured)
  switch (verdict.kind) {
    case 'won_back':
      return en
        ? `All campaigns together won back ${n(recalls.value)} (${range}) of ${of} people taken in, each counted once; ${natural} would have come back anyway.`
        : `全部活动合计多召回 ${n(recalls.value)} 人（${range}），共纳入 ${of} 人，每人只计一次；${natural} 的人不触达也会回来。`
    case 'harm':
      return en
        ? `Because of all campaigns together, fewer came back: ${speech.signed(recalls.value)} (${range}) of ${of} people taken in, each counted once; ${natural} would have come back anyway.`
        : `全部活动合计使回来的人反而更少：${speech.signed(recalls.value)}（${range}），共纳入 ${of} 人，每人只计一次；${natural} 的人不触达也会回来。`
    case 'no_difference':
      return en
        ? `All campaigns together, no effect shown: ${speech.percent(treated.recalled / treated.matured)} of ${of} people taken in came back, ${natural} of ${n(heldOut.matured)} in the control group did too; the difference (${speech.signed(recalls.value)}, ${range}) may be chance.${oneLook(effect, speech)}`
        : `全部活动合计未见效果：纳入 ${of} 人中 ${speech.percent(treated.recalled / treated.matured)} 回来，全局对照组 ${n(heldOut.matured)} 人中也有 ${natural} 回来；差值（${speech.signed(recalls.value)}，${range}）可能只是偶然。${oneLook(effect, speech)}`
  }
}
