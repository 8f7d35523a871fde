import type { Command } from 'commander'
import { nearest } from '../../config/nearest-name.ts'
import type { SyncSummary } from '../../contacts/sync/sync.ts'
import { WinbackError } from '../../errors.ts'
import type { Phrases, Speech } from '../../reports/words.ts'
import { syncSource } from '../../service/sync.ts'
import { EXIT, exitCodeOf, type FailureDocument, failureDocument, formatFailure } from '../failure.ts'
import { type Spoken, speechIn, spoken } from '../locale.ts'
import type { Outcome } from '../output.ts'
import { openQuietRuntime } from '../quiet-runtime.ts'
import { steady } from '../steady.ts'
import { describe, type Start } from '../verb.ts'
import { type DatabaseContext, startInWorkspace } from '../workspace.ts'
import { shown } from '../workspace-file.ts'
import { failedMostly, formatSummary, rowsOf } from './import-text.ts'

interface SyncVerbOptions extends Spoken {
  readonly dryRun?: boolean
  readonly full?: boolean
}

/** What a newcomer is shown. */
const SYNC_EXAMPLE = `sync:
  customers:
    kind: contacts
    url: "\${SHOP_DATABASE_URL}"       # leave away for a view in Winback's own database
    query: SELECT id, email, phone, created_at, updated_at FROM customers
    cursor: updated_at                # grows with every change of a row
    fields: { external_id: id, signed_up_at: created_at }
    schedule: "*/15 * * * *"          # while \`winback start\` runs
  orders:
    kind: activity
    url: "\${SHOP_DATABASE_URL}"
    query: SELECT id, customer_id, paid_at, total FROM orders WHERE paid_at IS NOT NULL
    cursor: id
    key: id                           # tells one event from another
    fields: { external_id: customer_id, occurred_at: paid_at, value: total }
    set: { type: order }`

export function sync(start: Start): Command {
  const command = describe('sync', {
    group: 'data',
    summary: 'Pull contacts and activity from your own PostgreSQL, by the queries of winback.yaml',
    description:
      'Reads what is new by each query’s cursor, and only reads. One that was interrupted is simply run again; a bad ' +
      'row goes to .winback/sync/NAME.rejects.csv with its reason, and stops nothing. `winback start` runs those that ' +
      'have a schedule.',
    examples: [
      ['winback sync', 'everything under `sync` in winback.yaml'],
      ['winback sync customers --dry-run', 'reads and counts, and writes nothing'],
      ['winback sync customers --full', 'from the start, such as after a repair of old rows'],
    ],
  })
  return spoken(command)
    .argument('[source]', 'a name under `sync` (default: all)')
    .option('--dry-run', 'write nothing; the same counts as the real thing')
    .option('--full', 'read everything again, whatever was read before')
    .action((source: string | undefined, options: SyncVerbOptions, command: Command) =>
      startInWorkspace(start, command, (context) => runSyncs(context, source, options)),
    )
}

/** Every sync with what it came to; those that failed, with why. */
export interface SyncVerbResult {
  readonly syncs: readonly SyncSummary[]
  readonly failures: readonly ({ readonly sync: string } & FailureDocument)[]
}

async function runSyncs(
  context: DatabaseContext,
  wanted: string | undefined,
  options: SyncVerbOptions,
): Promise<Outcome<SyncVerbResult>> {
  const { definition, file } = context.loaded
  const speech = speechIn(context, options)
  const names = Object.keys(definition.sync)
  if (wanted !== undefined && !names.includes(wanted)) throw unknownSync(wanted, names, file)
  if (names.length === 0) return { data: { syncs: [], failures: [] }, text: nothingToSync(file, speech) }
  const chosen = wanted === undefined ? names : [wanted]
  const syncs: SyncSummary[] = []
  const failed: { sync: string; error: unknown }[] = []
  for (const name of chosen) {
    try {
      syncs.push(await runOne(context, name, options, speech))
    } catch (error) {
      // Of one alone the failure is the whole answer; Ctrl-C ends all of them.
      if (chosen.length === 1 || context.interrupt.aborted) throw error
      failed.push({ sync: name, error })
    }
  }
  const words = await Promise.all(
    failed.map(({ error }) =>
      formatFailure(error, { verbose: false, colors: context.output.colors, language: speech.language }),
    ),
  )
  for (const summary of syncs) {
    const said = failedMostly(summary, speech, 'query')
    if (said !== undefined) context.output.warn(`${summary.sync}: ${said}`)
  }
  const useless = syncs.some(({ rows, rejected }) => rows > 0 && rows === rejected)
  return {
    data: { syncs, failures: failed.map(({ sync, error }) => ({ sync, ...failureDocument(error) })) },
    text: [...syncs.map((each) => formatSync(each, speech, context.output.width)), ...words].join('\n'),
    exitCode: failed[0] ? exitCodeOf(failed[0].error) : useless ? EXIT.input : EXIT.fine,
  }
}

async function runOne(
  context: DatabaseContext,
  name: string,
  { dryRun = false, full = false }: SyncVerbOptions,
  speech: Speech,
): Promise<SyncSummary> {
  const { interrupt, loaded, output } = context
  const runtime = await openQuietRuntime(context)
  const progress = steady(output.progress(speech.language === 'en' ? `Syncing ${name}` : `正在同步 ${name}`))
  try {
    return await syncSource(runtime, loaded, name, {
      dryRun,
      full,
      onProgress: ({ rows, total }) => {
        interrupt.throwIfAborted()
        progress.update(rows, total, rowsOf(rows, speech))
      },
    })
  } finally {
    progress.finish()
  }
}

const BECAUSE: Phrases<NonNullable<SyncSummary['because']>> = {
  first: { en: 'read everything: it is the first time', 'zh-CN': '已全部读取：首次同步' },
  full: { en: 'read everything, as asked', 'zh-CN': '已按要求全部读取' },
  changed: {
    en: 'read everything again: the query, its mapping, an attribute it fills or its database is another one',
    'zh-CN': '已重新全部读取：查询、字段映射、所填属性或数据库有变化',
  },
}

/** What came in, in a few lines. */
export function formatSync(summary: SyncSummary, speech: Speech, width: number): string {
  const { sync, state, dryRun, because, cursor, rejectFile } = summary
  const en = speech.language === 'en'
  if (state === 'busy') {
    return en
      ? `${sync}: another process is at it; nothing was read`
      : `${sync}：另一进程正在同步，本次未读取`
  }
  const dry = en ? ' (dry run, nothing was written)' : '（试运行，未写入）'
  const come = en
    ? `${dryRun ? 'would have' : 'has'} come to ${cursor}`
    : `${dryRun ? '将' : '已'}同步到 ${cursor}`
  return [
    formatSummary(
      {
        ...summary,
        unused: [],
        uncounted: [],
        changed: false,
        file: dryRun ? `${sync}${dry}` : sync,
        rejectFile: rejectFile === undefined ? undefined : shown(rejectFile),
      },
      speech,
      width,
      // Rows that are rejected with each reading stand in the file once.
      dryRun ? '' : en ? ', as before' : '，与此前相同',
    ),
    ...(because ? [`  ${BECAUSE[because][speech.language]}`] : []),
    `  ${cursor === null ? (en ? 'the query has no rows yet' : '查询目前没有结果') : come}`,
  ].join('\n')
}

function nothingToSync(file: string, { language }: Speech): string {
  const en = language === 'en'
  return [
    en
      ? `Nothing to sync: ${file} has no \`sync\`. It says what to pull, for instance:`
      : `没有可同步的内容：${file} 中没有 \`sync\`。它说明要拉取什么，例如：`,
    '',
    SYNC_EXAMPLE,
    '',
    en ? 'The role of the url needs to read and nothing else:' : 'url 中的角色只需读权限：',
    '  GRANT SELECT ON customers, orders TO winback_reader;',
    en ? 'Try it with `winback sync --dry-run`.' : '用 `winback sync --dry-run` 试运行。',
  ].join('\n')
}

function unknownSync(wanted: string, names: readonly string[], file: string): WinbackError {
  const near = nearest(wanted, names)
  return new WinbackError('sync.unknown', `there is no sync "${wanted}" in ${file}`, {
    remedy:
      names.length === 0
        ? 'Run `winback sync` without a name to see what to write.'
        : `${near ? `Did you mean \`winback sync ${near}\`? ` : ''}There ${names.length === 1 ? 'is' : 'are'} ${names.join(', ')}.`,
  })
}
