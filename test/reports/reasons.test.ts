import { describe, expect, it } from 'vitest'
import { ANSWERS, ENDS, REASONS, STATES, SUPPRESSIONS, WAITS } from '../../src/reports/reasons.ts'
import { reports } from '../../src/reports/reports.ts'
import { sentence } from '../../src/reports/words.ts'

describe('reasons', () => {
  it.each([
    ...['opened', 'audience', 'audience_unknown', 'exclusive', 'reentry_wait', 'sunset', 'rollout'],
    ...['max_silence', 'backlog', 'same_person', 'erased'],
  ])('the answer %s has a sentence', (name) => expect(Object.keys(ANSWERS)).toContain(name))

  it.each([
    ...[
      'paused',
      'returned',
      'superseded',
      'erased',
      'suppressed',
      'no_address',
      'no_channel',
      'condition',
      'missing_data',
    ],
    ...['stale_data', 'quiet_hours', 'too_late', 'stopped', 'contaminated', 'expired'],
    ...['bad_address', 'refused', 'content', 'attempts'],
  ])('the reason %s has a sentence', (name) => expect(Object.keys(REASONS)).toContain(name))

  it('are written in both languages', () => {
    for (const of of [ANSWERS, REASONS, STATES, ENDS, SUPPRESSIONS, WAITS]) {
      for (const { en, 'zh-CN': zh } of Object.values(of)) {
        expect(en).toMatch(/^[a-z][^\u4e00-\u9fff]+$/)
        expect(zh).toMatch(/[\u4e00-\u9fff]/)
      }
    }
  })

  it('that are unknown stand for themselves', () => {
    expect(sentence(REASONS, 'no_such_reason', 'en')).toBe('no_such_reason')
    expect(sentence(REASONS, 'toString', 'en')).toBe('toString')
  })
})

it('the registry names each report as it is keyed', () => {
  for (const [key, report] of Object.entries(reports)) expect(report.name).toBe(key)
})
