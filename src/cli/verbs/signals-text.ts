import { CHURN_WORDS } from '../../reports/churn-words.ts'
import { hanging, type painter, right, table } from '../../reports/layout.ts'
import type { Phrase, Phrases, Speech } from '../../reports/words.ts'
import { MODEL_WORDS } from '../../service/signals.ts'
import { type Calibration, type Fit, sampleDivisor } from '../../signals/fit.ts'
import type { SignalStanding } from '../../signals/standing.ts'
import { CHURN_STATES, RISK_GRADES } from './signal-words.ts'

// The signals of everybody in words, both languages beside each other.

type Painter = ReturnType<typeof painter>

/**
 * What is known of everybody: how current, who is lost and why, at what risk, and what was fitted when.
 * @param width cells of a line
 */
export function formatSignals(
  data: SignalStanding & { readonly recomputed: number; readonly fit: Fit | null },
  speech: Speech,
  color: Painter,
  width: number,
): string {
  const { language, count } = speech
  const say = (words: Phrase) => words[language]
  const { contacts, waiting, recomputed, fit } = data
  const lined = (lines: readonly string[]) => lines.flatMap((line) => hanging(line, width)).join('\n')
  if (contacts === 0 && waiting === 0) {
    const empty = say({
      en: 'Nothing is known of anybody yet. Run `winback import contacts FILE` and `winback import activity FILE` first.',
      'zh-CN':
        '目前还没有任何人的数据。请先运行 `winback import contacts FILE` 和 `winback import activity FILE`。',
    })
    return lined([empty])
  }
  const just = say({
    en: `, ${count(recomputed)} were just now`,
    'zh-CN': `，刚刚重算 ${count(recomputed)} 人`,
  })
  const lines = [
    say({
      en: `Signals of ${count(contacts)} contact${contacts === 1 ? '' : 's'}; ${count(waiting)} wait${waiting === 1 ? 's' : ''} to be recomputed${recomputed > 0 ? just : ''}.`,
      'zh-CN': `${count(contacts)} 位联系人的信号；${count(waiting)} 人待重算${recomputed > 0 ? just : ''}。`,
    }),
    `${say({ en: 'Churn: ', 'zh-CN': '流失判断：' })}${counts(data.churn, CHURN_STATES, speech)}`,
    `${say({ en: 'Why:   ', 'zh-CN': '依据：' })}${counts(data.reasons, CHURN_WORDS, speech)}`,
    `${say({ en: 'Risk:  ', 'zh-CN': '风险：' })}${counts(data.risk, RISK_GRADES, speech)}`,
    '',
  ]
  return lined([...lines, ...(fit ? formatFit(fit, speech, color) : [say(NOT_FITTED)])])
}

const NOT_FITTED = {
  en: 'Nothing was fitted yet: run `winback signals --refit`.',
  'zh-CN': '尚未拟合：请运行 `winback signals --refit`。',
}

const UNKNOWN = { en: 'unknown', 'zh-CN': '未知' }

/** `lost 12, active 3`; a name without words of its own as it is. */
function counts(
  values: Readonly<Record<string, number>>,
  words: Phrases,
  { language, count }: Speech,
): string {
  return Object.entries(values)
    .map(([name, contacts]) => {
      const said = (name === 'unknown' ? UNKNOWN : words[name])?.[language] ?? name
      return `${said} ${count(contacts)}`
    })
    .join(language === 'en' ? ', ' : '，')
}

function formatFit(fit: Fit, speech: Speech, color: Painter): string[] {
  const { language, count, moment } = speech
  const say = (words: Phrase) => words[language]
  const fitted = say({
    en: `Fitted ${moment(fit.fittedAt)} on ${count(fit.buyers)} buyers and ${count(fit.contacts)} contacts with activity, ${count(fit.repeaters)} of whom came back at least once.`,
    'zh-CN': `拟合于 ${moment(fit.fittedAt)}：${count(fit.buyers)} 位买家，${count(fit.contacts)} 位有活跃记录的联系人，其中 ${count(fit.repeaters)} 人至少回来过一次。`,
  })
  if (!fit.model) {
    const why = fit.note ? MODEL_WORDS[fit.note][language] : say({ en: 'no model', 'zh-CN': '没有模型' })
    const instead = fit.silence
      ? say({ en: 'by plain silence', 'zh-CN': '仅按沉默时长给出' })
      : say({ en: 'not at all, for there is no past yet', 'zh-CN': '无法给出，因为还没有历史' })
    return [
      fitted,
      say({
        en: `Return model: none (${why}). return_probability is told ${instead}.`,
        'zh-CN': `回流模型：无（${why}）。return_probability ${instead}。`,
      }),
    ]
  }
  const { r, alpha, a, b } = fit.model
  const four = (value: number) => value.toFixed(4)
  const parameters = `r ${four(r)}, α ${four(alpha)}, a ${four(a)}, b ${four(b)}`
  const likelihood = fit.logLikelihood === null ? '' : four(fit.logLikelihood)
  return [
    fitted,
    say({
      en: `Return model BG/NBD in weeks: ${parameters}; log-likelihood ${likelihood}`,
      'zh-CN': `回流模型 BG/NBD（以周计）：${parameters}；对数似然 ${likelihood}`,
    }),
    '',
    ...formatCalibration(fit, speech, color),
  ]
}

function formatCalibration(
  { calibration, contacts }: { readonly calibration: Calibration | null; readonly contacts: number },
  { language, locale, count }: Speech,
  color: Painter,
): string[] {
  const say = (words: Phrase) => words[language]
  if (!calibration) {
    return [
      say({
        en: 'There is too little past yet to hold the model against.',
        'zh-CN': '历史太短，还无法检验模型。',
      }),
    ]
  }
  const hundredths = new Intl.NumberFormat(locale, { minimumFractionDigits: 2, maximumFractionDigits: 2 })
  const percent = (share: number) => `${hundredths.format(share * 100)}${language === 'en' ? ' %' : '%'}`
  const { cutoff, people, foreseen, seen, auc, silenceAuc, rows } = calibration
  const day = cutoff.slice(0, 10)
  const days = count(Math.round(calibration.horizon / 86_400))
  const divisor = sampleDivisor(contacts)
  const sample =
    divisor === 1
      ? ''
      : say({ en: ` in a sample of one in ${count(divisor)}`, 'zh-CN': `（每 ${count(divisor)} 人抽一）` })
  return [
    say({
      en: `As known on ${day}, of ${count(people)} contacts active by then${sample}, ${percent(foreseen)} would return within ${days} days; ${percent(seen)} did.`,
      'zh-CN': `按 ${day} 所知，当时活跃过的 ${count(people)} 位联系人${sample}中，预计 ${percent(foreseen)} 会在 ${days} 天内回来；实际为 ${percent(seen)}。`,
    }),
    say(toldApart(auc, silenceAuc)),
    '',
    ...table(
      [
        right(say({ en: 'tenth', 'zh-CN': '十分位' })),
        right(say({ en: 'contacts', 'zh-CN': '联系人' })),
        right(say({ en: 'foreseen', 'zh-CN': '预计' })),
        right(say({ en: 'came back', 'zh-CN': '回来' })),
      ],
      rows.map((row, index) => [
        String(index + 1),
        count(row.people),
        percent(row.foreseen),
        percent(row.seen),
      ]),
      color,
    ),
  ]
}

function toldApart(auc: number | null, silenceAuc: number | null): Phrase {
  if (auc === null || silenceAuc === null) {
    return {
      en: 'All of them did the same, so there was nobody to tell apart.',
      'zh-CN': '所有人的结果相同，无法检验区分能力。',
    }
  }
  const [model, silence] = [auc.toFixed(3), silenceAuc.toFixed(3)]
  return {
    en: `Told apart (AUC, 0.5 is chance): model ${model}, plain silence ${silence}`,
    'zh-CN': `区分能力（AUC，0.5 为随机）：模型 ${model}，仅按沉默时长 ${silence}`,
  }
}
