import { sql } from 'drizzle-orm'
import { rows } from '../../../database/connect.ts'
import type { Say } from '../../locale.ts'
import { openQuietRuntime } from '../../quiet-runtime.ts'
import type { DatabaseContext } from '../../workspace.ts'
import { type Finding, notYet, reasonOf, wrong } from './finding.ts'

/**
 * Versions that were right when they were applied and no longer are: of a format this Winback does not read, or with a
 * template set that is gone. One that nobody is taken in by or still in is of interest to reports alone.
 */
export async function checkVersions(context: DatabaseContext, say: Say): Promise<Finding[]> {
  const { database } = context
  const { book } = await openQuietRuntime(context)
  const versions = await rows<{ campaign: string; version: number; current: boolean; live: boolean }>(
    database,
    sql`SELECT v.campaign, v.version, v.version = k.current_version AS current, EXISTS (
          SELECT FROM episodes e WHERE e.campaign = v.campaign AND e.version = v.version AND e.ended_at IS NULL) AS live
        FROM campaign_versions v JOIN campaigns k USING (campaign) ORDER BY v.campaign, v.version`,
  )
  const findings: Finding[] = []
  for (const { campaign, version, current, live } of versions) {
    const name = say(`${campaign} version ${version}`, `${campaign} 版本 ${version}`)
    const upgrade = say(
      'Run the Winback it was applied with, or a newer one; or mend its file, and run `winback apply`.',
      '请使用应用它时的 Winback 或更新的版本；或修改其文件，再运行 `winback apply`。',
    )
    const { definition } = await book.text(campaign, version)
    const lost = [
      ...(definition.goals
        ? []
        : [
            say(
              'its goals, so that its margin is what was known last',
              '目标，因此毛利率沿用最后一次已知的值',
            ),
          ]),
      ...(definition.holdout === undefined
        ? [say('its holdout, so that its groups are not checked', '对照组比例，因此不检查分组')]
        : []),
    ]
    if (lost.length > 0) {
      const what = say(
        `${name}: reports cannot read ${lost.join(', and ')}`,
        `${name}：报告读不到${lost.join('；读不到')}`,
      )
      findings.push(notYet('versions', what, upgrade))
    }
    if (!current && !live) continue
    const foreign = currenciesOf(definition).filter((each) => each !== context.loaded.definition.currency)
    if (foreign.length > 0)
      findings.push(foreignMoney(name, foreign, context.loaded.definition.currency, say))
    const why = await book.campaign(campaign, version).then(
      () => undefined,
      (error: unknown) => reasonOf(error, say),
    )
    if (why === undefined) continue
    const halted = current
      ? say('it takes nobody in', '不再纳入任何人')
      : say('what it began does not go on', '已开始的部分不再继续')
    const what = say(
      `${name} can no longer be read, and ${halted}: ${why}`,
      `${name} 已无法读取，${halted}：${why}`,
    )
    findings.push(wrong('versions', what, upgrade))
  }
  return findings
}

/** Amounts of a version keep their number, and are printed in the workspace's currency, whatever they were written in. */
function foreignMoney(
  name: string,
  foreign: readonly string[],
  currency: string | undefined,
  say: Say,
): Finding {
  const [theirs, ours] = [foreign.join(', '), currency ?? '']
  return wrong(
    'versions',
    say(
      `${name} counts in ${theirs}, the workspace in ${ours}: nothing converts, and what it offers and what was booked is printed in ${ours}`,
      `${name} 以 ${theirs} 计价，而工作区为 ${ours}：金额不会换算，其优惠和已入账的金额都会按 ${ours} 显示`,
    ),
    say(
      `Set \`currency: ${foreign[0]}\` in winback.yaml again, or apply the campaign in ${ours}; whoever is under way keeps the version they began with.`,
      `请在 winback.yaml 中恢复 \`currency: ${foreign[0]}\`，或以 ${ours} 应用该活动；进行中的人仍使用其开始时的版本。`,
    ),
  )
}

/** The currencies that amounts are written in, anywhere in a definition. */
function currenciesOf(definition: unknown): string[] {
  if (typeof definition !== 'object' || definition === null) return []
  if ('micros' in definition && 'currency' in definition) return [String(definition.currency)]
  return [...new Set(Object.values(definition).flatMap(currenciesOf))]
}
