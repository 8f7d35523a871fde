import { formatProblem } from '../../../config/documents/problems.ts'
import { ConfigError, messageOf } from '../../../errors.ts'
import { cellsOf, wrap } from '../../../reports/layout.ts'
import type { Language } from '../../../reports/words.ts'
import type { Say } from '../../locale.ts'
import type { Colors } from '../../output.ts'

export type Check =
  | 'node'
  | 'workspace'
  | 'templates'
  | 'campaigns'
  | 'database'
  | 'migrations'
  | 'clock'
  | 'queue'
  | 'channels'
  | 'feed'
  | 'numbers'
  | 'switches'
  | 'offers'
  | 'versions'

/** What one check found, and for all but the fine ones how to mend it. */
export interface Finding {
  readonly check: Check
  /** `not_yet`: nothing is broken, but this is still to be done before people are reached. */
  readonly state: 'ok' | 'not_yet' | 'wrong'
  readonly found: string
  readonly mend?: string
  /** True where something does not answer. */
  readonly unavailable: boolean
}

export function fine(check: Check, found: string): Finding {
  return { check, state: 'ok', found, unavailable: false }
}

export function notYet(check: Check, found: string, mend: string): Finding {
  return { check, state: 'not_yet', found, mend, unavailable: false }
}

export function wrong(check: Check, found: string, mend: string): Finding {
  return { check, state: 'wrong', found, mend, unavailable: false }
}

export function unavailable(check: Check, found: string, mend: string): Finding {
  return { ...wrong(check, found, mend), unavailable: true }
}

/** What went wrong, with the first problem of a file that has several. */
export function reasonOf(error: unknown, say: Say): string {
  const first = error instanceof ConfigError ? error.problems[0] : undefined
  if (!(error instanceof ConfigError) || first === undefined) return messageOf(error)
  const [many, place] = [error.problems.length, formatProblem(first)]
  return say(`${messageOf(error)}, such as ${place}`, `配置中有 ${many} 处问题，例如 ${place}`)
}

/** A line a finding, and under it how to mend it, each broken where it is wider than the terminal. */
export function formatFindings(
  findings: readonly Finding[],
  { colors, width }: { readonly colors: Colors; readonly width: number },
  language: Language,
): string {
  const marks = MARKS[language]
  const paint = { ok: colors.green, not_yet: colors.yellow, wrong: colors.red }
  const name = (check: Check) => (language === 'en' ? check : CHECKS[check])
  const marked = Math.max(...Object.values(marks).map(cellsOf))
  const named = Math.max(...findings.map(({ check }) => cellsOf(name(check))))
  const indent = ' '.repeat(marked + 2 + named + 2)
  const room = width - indent.length
  return findings
    .flatMap(({ state, check, found, mend }) => {
      const head = `${paint[state](padded(marks[state], marked))}  ${padded(name(check), named)}  `
      const lines = wrap(found, room).map((line, no) => `${no === 0 ? head : indent}${line}`)
      const remedy = mend === undefined ? [] : wrap(mend, room - 2)
      return [
        ...lines,
        ...remedy.map((line, no) => `${indent}${no === 0 ? `${colors.cyan('→')} ` : '  '}${line}`),
      ]
    })
    .join('\n')
}

function padded(text: string, cells: number): string {
  return text + ' '.repeat(cells - cellsOf(text))
}

const MARKS: Readonly<Record<Language, Readonly<Record<Finding['state'], string>>>> = {
  en: { ok: 'ok', not_yet: 'not yet', wrong: 'wrong' },
  'zh-CN': { ok: '正常', not_yet: '待办', wrong: '有误' },
}

const CHECKS: Readonly<Record<Check, string>> = {
  node: 'Node.js',
  workspace: '工作区',
  templates: '模板',
  campaigns: '活动',
  database: '数据库',
  migrations: '数据库迁移',
  clock: '时钟',
  queue: '队列',
  channels: '渠道',
  feed: '数据接入',
  numbers: '号码',
  switches: '开关',
  offers: '优惠',
  versions: '版本',
}

export function verdictOf(findings: readonly Finding[], say: Say): string {
  const wrong = findings.filter((finding) => finding.state === 'wrong').length
  if (wrong > 0) {
    return say(`${wrong === 1 ? 'One thing is' : `${wrong} things are`} wrong.`, `有 ${wrong} 项有误。`)
  }
  const open = findings.filter((finding) => finding.state === 'not_yet').length
  return open > 0
    ? say('Nothing is wrong; some of it is still to be done.', '没有错误，部分事项尚待完成。')
    : say('Everything is in order.', '一切正常。')
}
