import type { consentHistory, consentStates } from '../../contacts/consent.ts'
import type { readChoice } from '../../contacts/preferences.ts'
import { sourceText } from '../../reports/source-words.ts'
import type { Speech } from '../../reports/words.ts'
import { sayIn } from '../locale.ts'

// What a contact agreed to and chose, in words.

type Row<Read extends (...given: never[]) => Promise<readonly unknown[]>> = Awaited<ReturnType<Read>>[number]
type Choice = NonNullable<Awaited<ReturnType<typeof readChoice>>>

const DECISIONS = {
  given: { en: 'given', 'zh-CN': '同意' },
  withdrawn: { en: 'withdrawn', 'zh-CN': '撤回' },
} as const

/** The latest of each channel, the record, the choice in force and where the contact changes it. */
export function formatConsent(
  found: {
    readonly states: readonly Row<typeof consentStates>[]
    readonly records: readonly Omit<Row<typeof consentHistory>, 'contactId'>[]
    readonly choice: Choice | null
    readonly link: string | undefined
  },
  speech: Speech,
): string {
  const { states, records, choice, link } = found
  const { language } = speech
  const say = sayIn(speech)
  const [comma, colon] = [say(', ', '，'), say(': ', '：')]
  return [
    ...states.map(({ channel, state }) => `${channel}${colon}${DECISIONS[state][language]}`),
    ...(states.length === 0
      ? [say('Nothing was ever agreed to or withdrawn.', '没有任何同意或撤回记录。')]
      : []),
    ...records.map(({ decidedAt, channel, decision, source, wording, proof }) =>
      [
        `  ${speech.moment(decidedAt)}  ${channel} ${DECISIONS[decision][language]}`,
        sourceText(source, speech),
        ...(wording === null ? [] : [say(`wording ${wording}`, `文案版本 ${wording}`)]),
        ...(proof === null ? [] : [`${say('proof', '凭证')}${colon}${proof}`]),
      ].join(comma),
    ),
    choice === null
      ? say(
          'They have not narrowed down what they get: no channel, topic or frequency was chosen.',
          '本人未设置接收偏好（渠道、主题、频率）。',
        )
      : say(
          `Chosen ${speech.moment(choice.chosenAt)} (${choice.source}): ${choiceText(choice, speech)}`,
          `本人于 ${speech.moment(choice.chosenAt)} 选择（${sourceText(choice.source, speech)}）：${choiceText(choice, speech)}`,
        ),
    link === undefined
      ? say(
          'Set `web.url` in winback.yaml to give them a page of their own.',
          '在 winback.yaml 中设置 `web.url` 后，联系人可使用自己的偏好页面。',
        )
      : `${say('Their page', '偏好页面')}${colon}${link}`,
  ].join('\n')
}

function choiceText({ channelsOff, topicsOff, frequency, pausedUntil }: Choice, speech: Speech): string {
  const say = sayIn(speech)
  const parts = [
    ...channelsOff.map((name) =>
      name === '*' ? say('nothing at all', '全部不接收') : say(`nothing by ${name}`, `不接收 ${name}`),
    ),
    ...topicsOff.map((name) => say(`nothing about ${name}`, `不接收主题 ${name}`)),
    ...(frequency
      ? [
          say(
            `at most ${frequency.atMost} in ${frequency.withinDays} days`,
            `${frequency.withinDays} 天内最多 ${frequency.atMost} 条`,
          ),
        ]
      : []),
    ...(pausedUntil
      ? [say(`nothing before ${speech.moment(pausedUntil)}`, `${speech.moment(pausedUntil)} 前不接收`)]
      : []),
  ]
  return parts.length === 0 ? say('everything is wanted', '全部接收') : parts.join(say('; ', '；'))
}
