import { expect, test } from 'vitest'
import { formatSignals } from '../../../src/cli/verbs/signals-text.ts'
import { cellsOf, painter } from '../../../src/reports/layout.ts'
import { speechOf } from '../../../src/reports/words.ts'

const EMPTY = { contacts: 0, waiting: 0, recomputed: 0, churn: {}, reasons: {}, risk: {}, fit: null }
const FIT = {
  fittedAt: new Date('2026-03-02T03:00:00Z'),
  buyers: 1200,
  model: { r: 0.5, alpha: 2, a: 0.25, b: 3 },
  logLikelihood: -1234.5,
  contacts: 5000,
  repeaters: 3000,
  note: null,
  silence: null,
  calibration: {
    cutoff: '2026-02-01T00:00:00.000Z',
    horizon: 28 * 86_400,
    model: { r: 0.5, alpha: 2, a: 0.25, b: 3 },
    people: 4000,
    foreseen: 0.2512,
    seen: 0.2498,
    auc: 0.75,
    silenceAuc: 0.7,
    rows: [{ people: 400, foreseen: 0.01, seen: 0.02 }],
  },
}
const KNOWN = {
  contacts: 5000,
  waiting: 3,
  recomputed: 2,
  churn: { true: 3000, false: 1500, active: 400, unknown: 100 },
  reasons: { silent: 3000, rhythm: 1500 },
  risk: { none: 4000, severe: 1000 },
  fit: FIT,
}

function written(locale: string, data: Parameters<typeof formatSignals>[0], width = 200): string {
  return formatSignals(data, speechOf({ locale, timezone: 'Asia/Shanghai' }), painter(false), width)
}

test('says in both languages who is lost and why, at what risk, and how good the model is', () => {
  const english = written('en', KNOWN)
  expect(english).toContain('Signals of 5,000 contacts; 3 wait to be recomputed, 2 were just now.')
  expect(english).toContain('Churn: lost 3,000, quiet, not lost 1,500, active 400, unknown 100')
  expect(english).toContain('Why:   longer than they ever usually pause 3,000, within their own rhythm 1,500')
  expect(english).toContain('Fitted Mar 2, 2026, 11:00 on 1,200 buyers')
  expect(english).toContain('25.12 % would return within 28 days; 24.98 % did.')
  expect(written('en', { ...KNOWN, contacts: 1, waiting: 1 })).toContain(
    'Signals of 1 contact; 1 waits to be',
  )
  const chinese = written('zh-CN', KNOWN)
  expect(chinese).toContain('流失判断：已流失 3,000，沉默但未流失 1,500，活跃 400，未知 100')
  expect(chinese).toContain('风险：无 4,000，重度 1,000')
  expect(chinese).toContain('拟合于 2026年3月2日 11:00')
  expect(chinese).toContain('预计 25.12% 会在 28 天内回来；实际为 24.98%。')
  expect(chinese).toMatch(/十分位 +联系人 +预计 +回来/)
  expect(chinese.split('\n')).toHaveLength(english.split('\n').length)
})

test('keeps to the width of a terminal', () => {
  for (const locale of ['en', 'zh-CN']) {
    for (const data of [
      EMPTY,
      KNOWN,
      { ...KNOWN, fit: { ...FIT, model: null, note: 'too_few_contacts' as const } },
    ]) {
      for (const line of written(locale, data, 60).split('\n')) expect(cellsOf(line)).toBeLessThanOrEqual(60)
    }
  }
})

test('where nobody came back, or everybody did, there was nothing to tell apart', () => {
  const fit = { ...FIT, calibration: { ...FIT.calibration, auc: null, silenceAuc: null, seen: 0 } }
  expect(written('en', { ...KNOWN, fit })).toContain(
    'All of them did the same, so there was nobody to tell apart.',
  )
  expect(written('zh-CN', { ...KNOWN, fit })).toContain('所有人的结果相同，无法检验区分能力。')
})

test('says in both languages what to do where nothing is known, fitted or told by a model', () => {
  expect(written('en', EMPTY)).toContain('`winback import contacts FILE`')
  expect(written('zh-CN', EMPTY)).toContain('请先运行 `winback import contacts FILE`')
  expect(written('zh-CN', { ...KNOWN, fit: null })).toContain('尚未拟合：请运行 `winback signals --refit`。')
  const thin = { ...KNOWN, fit: { ...FIT, model: null, note: 'too_few_contacts' as const } }
  expect(written('en', thin)).toContain(
    'Return model: none (too few contacts with activity). return_probability is told not at all',
  )
  expect(written('zh-CN', thin)).toContain('回流模型：无（有活跃记录的联系人太少）。')
})
