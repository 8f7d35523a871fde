import type { Command } from 'commander'
import { parseTemplates } from '../../channels/templates.ts'
import { campaignHistory, type HistoryEntry, type RolledBack, rollbackCampaign } from '../../config/apply.ts'
import { shortHash } from '../../config/inputs.ts'
import { fitted, left, type Painter, painter, right } from '../../reports/layout.ts'
import type { Language, Speech } from '../../reports/words.ts'
import { appliedCampaign } from '../applied-campaign.ts'
import { type Spoken, speechIn, spoken } from '../locale.ts'
import { operator } from '../operator.ts'
import type { Outcome } from '../output.ts'
import { warnOfSwitches } from '../still-held.ts'
import { describe, type Start, wholeNumber } from '../verb.ts'
import { type DatabaseContext, withWorkspace } from '../workspace.ts'

interface RollbackOptions extends Spoken {
  readonly to?: number
  readonly list?: boolean
}

export function rollback(start: Start): Command {
  const command = describe('rollback', {
    group: 'campaigns',
    summary: 'Go back to an earlier version of a campaign, templates included',
    description:
      'Makes a new version with the old one’s text: history only grows. Files on disk are not touched.',
    examples: [
      ['winback rollback graded-recall', 'to the version before'],
      ['winback rollback graded-recall --to 3', 'to version 3'],
      ['winback rollback graded-recall --list', 'the versions there are'],
    ],
  })
  return spoken(command)
    .argument('<campaign>', 'the campaign')
    .option('--to <version>', 'the version to restore (default: the one before)', wholeNumber('--to'))
    .option('--list', 'list the versions and change nothing')
    .action((campaign: string, options: RollbackOptions, command: Command) =>
      start(command, (invocation) =>
        withWorkspace<Outcome>(invocation, (context) =>
          options.list ? listVersions(context, campaign, options) : runRollback(context, campaign, options),
        ),
      ),
    )
}

async function runRollback(
  context: DatabaseContext,
  name: string,
  options: RollbackOptions,
): Promise<Outcome<RolledBack>> {
  const speech = speechIn(context, options)
  const { language } = speech
  const campaign = await appliedCampaign(context, name)
  const { definition } = context.loaded
  const result = await rollbackCampaign(context.database, campaign, {
    to: options.to,
    clock: context.clock,
    by: operator(),
    workspace: context.loaded,
    indexTemplates: (files, marked) =>
      parseTemplates(files, { locales: definition.locales, folder: `${definition.templates}${marked}` }),
    warn: ({ location, path, message }) => context.output.warn(`${location.file}: ${path}: ${message}`),
  })
  await warnOfSwitches(context, [campaign], speech)
  const { version, restores, previous } = result
  const text =
    language === 'en'
      ? [
          `${campaign}: version ${version} applied, which is version ${restores} again (it was ${previous}).`,
          'The files on disk are as they were: `winback apply` would bring them back.',
        ]
      : [
          `${campaign}：版本 ${version} 已生效，内容与版本 ${restores} 相同（此前为版本 ${previous}）。`,
          '磁盘上的文件没有变化：再次 `winback apply` 会重新应用它们。',
        ]
  return { data: result, text: text.join('\n') }
}

async function listVersions(
  context: DatabaseContext,
  name: string,
  options: Spoken,
): Promise<Outcome<{ versions: HistoryEntry[] }>> {
  const versions = await campaignHistory(context.database, await appliedCampaign(context, name))
  const { colors, width } = context.output
  const text = formatVersions(versions, speechIn(context, options), painter(colors.isColorSupported), width)
  return { data: { versions }, text }
}

const TITLES: Readonly<Record<Language, readonly string[]>> = {
  en: ['version', '', 'restores', 'applied', 'by', 'inputs', 'file'],
  'zh-CN': ['版本', '', '恢复自', '生效时间', '操作人', '输入', '文件'],
}

/** Columns of numbers. */
const RIGHT = [0, 2]

/** The versions, newest first. */
export function formatVersions(
  versions: readonly HistoryEntry[],
  speech: Speech,
  paint: Painter,
  width: number,
): string {
  const columns = TITLES[speech.language].map((title, no) =>
    RIGHT.includes(no) ? right(title) : left(title),
  )
  const lines = versions.map((each) => [
    String(each.version),
    each.current ? (speech.language === 'en' ? 'current' : '当前') : '',
    each.restores === undefined ? '' : String(each.restores),
    speech.moment(each.appliedAt),
    each.appliedBy,
    shortHash(each.inputs),
    each.file,
  ])
  return fitted(columns, lines, paint, width).join('\n')
}
