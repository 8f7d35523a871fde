import { formatProblem } from '../../config/problems.ts'
import { ConfigError, messageOf } from '../../errors.ts'
import type { Colors } from '../output.ts'

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
export function reasonOf(error: unknown): string {
  const first = error instanceof ConfigError ? error.problems[0] : undefined
  return first ? `${messageOf(error)}, such as ${formatProblem(first)}` : messageOf(error)
}

/** One line a finding, and under it how to mend it. */
export function formatFindings(findings: readonly Finding[], colors: Colors): string {
  const marks = {
    ok: colors.green('ok     '),
    not_yet: colors.yellow('not yet'),
    wrong: colors.red('wrong  '),
  }
  const width = Math.max(...findings.map((finding) => finding.check.length))
  const indent = ' '.repeat('not yet'.length + 2 + width + 2)
  return findings
    .flatMap((finding) => [
      `${marks[finding.state]}  ${finding.check.padEnd(width)}  ${finding.found}`,
      ...(finding.mend ? [`${indent}${colors.cyan('→')} ${finding.mend}`] : []),
    ])
    .join('\n')
}

export function verdictOf(findings: readonly Finding[]): string {
  const wrong = findings.filter((finding) => finding.state === 'wrong').length
  if (wrong > 0) return `${wrong === 1 ? 'One thing is' : `${wrong} things are`} wrong.`
  const open = findings.filter((finding) => finding.state === 'not_yet').length
  return open > 0 ? 'Nothing is wrong; some of it is still to be done.' : 'Everything is in order.'
}
