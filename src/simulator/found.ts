import { sql } from 'drizzle-orm'
import { factCatalogue } from '../config/facts.ts'
import type { Workspace } from '../config/workspace.ts'
import { type Database, rows } from '../database/connect.ts'
import { left, painter, right, table } from '../reports/layout.ts'
import type { PlantedPerson } from './acts.ts'

/** One line: how many it is true of, how many were flagged, and how many of the flagged it is true of. */
export interface PlantedFinding {
  readonly what: string
  readonly planted: number
  readonly found: number
  readonly right: number
}

interface Signals {
  readonly externalId: string
  readonly churn: string | null
  readonly grade: string
  readonly ends: Date | null
}

/** Sets what the signals say as of `now` beside what was planted. By the very facts that conditions use. */
export async function findPlanted(
  database: Database,
  workspace: Workspace,
  planted: readonly PlantedPerson[],
  now: Date,
): Promise<PlantedFinding[]> {
  const facts = factCatalogue(workspace)
  const value = (path: string) => {
    const fact = facts.get(path)
    if (!fact) throw new Error(`there is no fact ${path}`)
    return fact.sql(now)
  }
  const read = await rows<Signals>(
    database,
    sql`SELECT c.external_id AS "externalId", ${value('churn')} AS churn, ${value('risk.grade')} AS grade,
          ${value('membership.ends')} AS ends
        FROM contacts c JOIN contact_activity a ON a.contact_id = c.contact_id
        LEFT JOIN contact_signals s ON s.contact_id = c.contact_id ORDER BY c.contact_id`,
  )
  const signals = new Map(read.map((row) => [row.externalId, row]))
  const pairs = planted.flatMap((person) => {
    const seen = signals.get(person.externalId)
    return seen ? [{ person, seen }] : []
  })
  type Pair = (typeof pairs)[number]
  const finding = (
    what: string,
    among: readonly Pair[],
    isTrue: (pair: Pair) => boolean,
    isFound: (pair: Pair) => boolean,
  ): PlantedFinding => ({
    what,
    planted: among.filter(isTrue).length,
    found: among.filter(isFound).length,
    right: among.filter((pair) => isTrue(pair) && isFound(pair)).length,
  })
  const silent = pairs.filter(({ seen }) => seen.churn === 'false' || seen.churn === 'true')
  return [
    finding(
      'only quiet',
      silent,
      (p) => !p.person.lost,
      (p) => p.seen.churn === 'false',
    ),
    finding(
      'really lost',
      silent,
      (p) => p.person.lost,
      (p) => p.seen.churn === 'true',
    ),
    ...(['light', 'medium', 'severe'] as const).map((grade) =>
      finding(
        `risk ${grade}`,
        pairs,
        (p) => p.person.grade === grade,
        (p) => p.seen.grade === grade,
      ),
    ),
    finding(
      'membership ends',
      pairs,
      (p) => p.person.membershipEnds !== undefined,
      (p) =>
        p.seen.ends !== null && (p.person.membershipEnds ?? p.seen.ends.getTime()) === p.seen.ends.getTime(),
    ),
  ]
}

const WORDS = {
  en: {
    percent: ' %',
    title: 'Who they really are, and whom the signals found on the first day',
    heads: ['', 'planted', 'found', 'rightly', 'found of planted', 'right of found'],
    names: {} as Readonly<Record<string, string>>,
    note: 'Quiet or lost: of those silent for three days. A fall in use raises a grade and is not planted.',
  },
  'zh-CN': {
    percent: '%',
    title: '真实情况与首日信号的判断',
    heads: ['', '预设', '识别', '正确', '识别率', '精确率'],
    names: {
      'only quiet': '假性流失',
      'really lost': '真实流失',
      'risk light': '轻度风险',
      'risk medium': '中度风险',
      'risk severe': '重度风险',
      'membership ends': '会员到期',
    } as Readonly<Record<string, string>>,
    note: '流失判断只针对沉默满三天的用户。使用频率下降会提高风险等级，但不在预设之内。',
  },
}

/** A line a finding. `locale`: Chinese for zh, else English. */
export function formatPlanted(findings: readonly PlantedFinding[], locale: string, color: boolean): string {
  const paint = painter(color)
  const words = WORDS[locale.startsWith('zh') ? 'zh-CN' : 'en']
  const share = (part: number, whole: number) =>
    whole === 0 ? '' : `${((part / whole) * 100).toFixed(0)}${words.percent}`
  return [
    paint.strong(words.title),
    ...table(
      words.heads.map((title, index) => (index === 0 ? left(title) : right(title))),
      findings.map((each) => [
        words.names[each.what] ?? each.what,
        ...[each.planted, each.found, each.right].map((number) => number.toLocaleString('en')),
        share(each.right, each.planted),
        share(each.right, each.found),
      ]),
      paint,
    ),
    paint.faint(`  ${words.note}`),
  ].join('\n')
}
