import { later } from '../../../clock.ts'
import { HOLIDAYS } from '../../../config/calendar.ts'
import { localDay } from '../../../config/local-time.ts'
import type { Workspace } from '../../../config/workspace.ts'
import type { Say } from '../../locale.ts'
import { type Finding, notYet } from './finding.ts'

/** Days before the last year whose holidays are known ends: the next year's have been published by then. */
const HOLIDAYS_AHEAD_DAYS = 45

/** Nothing of a year that is still far away, nor where somebody has named days of it as `blackout`. */
export function judgeHolidays(
  { holidays, blackout, timezone }: Pick<Workspace, 'holidays' | 'blackout' | 'timezone'>,
  now: Date,
  say: Say,
): Finding[] {
  if (holidays === undefined) return []
  const last = Math.max(...HOLIDAYS[holidays].years)
  const beyond = `${last + 1}-01-01`
  const near = localDay(timezone, later(now, HOLIDAYS_AHEAD_DAYS * 86_400)) >= beyond
  if (!near || blackout.some(({ to }) => to >= beyond)) return []
  return [
    notYet(
      'workspace',
      say(
        `the public holidays of ${holidays} are known up to ${last}: from ${beyond} on, windows of \`workdays\` are open on all of them that are no weekend`,
        `所知的 ${holidays} 法定节假日截至 ${last} 年：自 ${beyond} 起，\`workdays\` 时段在不逢周末的节假日也会开放`,
      ),
      say(
        `Install a version of Winback that knows ${last + 1}, or name its free days under \`blackout\` in winback.yaml.`,
        `请安装包含 ${last + 1} 年安排的 Winback 版本，或在 winback.yaml 的 \`blackout\` 中写明放假日期。`,
      ),
    ),
  ]
}
