import type { Command } from 'commander'
import { planAudience } from '../audience/plan.ts'
import { type RunResult, runCampaign } from '../audience/run.ts'
import { WinbackError } from '../errors.ts'
import { ANSWERS, sentence } from '../reports/reasons.ts'
import { languageOf } from '../reports/words.ts'
import { openRuntime, type Runtime } from '../service/runtime.ts'
import { type BatchResult, processBatch } from '../touchpoints/batch.ts'
import { dispatchDue } from '../touchpoints/dispatch.ts'
import { appliedCampaign, appliedCampaigns } from './campaigns.ts'
import { EXIT } from './failure.ts'
import { parseMoment } from './moments.ts'
import type { Outcome } from './output.ts'
import { describe, type Start } from './verb.ts'
import { type DatabaseContext, withWorkspace } from './workspace.ts'

interface RunOptions {
  readonly asOf?: string
  readonly dryRun?: boolean
  readonly send?: boolean
}

export function run(start: Start): Command {
  return describe('run', {
    group: 'run',
    summary: 'Run campaigns once, now: who has lapsed is taken in, who is due gets the next message',
    description:
      'What `winback start` does by the schedule, done once by hand. A run is known by its time: the same time twice ' +
      'runs once. With --dry-run everything is counted and nothing is written.',
    examples: [
      ['winback run', 'every applied campaign, now'],
      ['winback run graded-recall --dry-run', 'only count what would happen'],
      ['winback run graded-recall --as-of 2026-11-25T09:00', 'as the run of that moment'],
    ],
  })
    .argument('[campaign]', 'a campaign (default: all that were applied)')
    .option('--as-of <time>', 'the moment the run is for (default: now)')
    .option('--dry-run', 'write nothing; the same counts as `winback plan`')
    .option('--no-send', 'take in and plan, but leave the sending to `winback start` or `winback worker`')
    .action((campaign: string | undefined, options: RunOptions, command: Command) =>
      start(command, (invocation) =>
        withWorkspace(invocation, (context) => runRun(context, campaign, options)),
      ),
    )
}

/** One campaign's run, and what was sent after all of them. */
export interface RunVerbResult {
  readonly dryRun: boolean
  readonly asOf: Date
  readonly campaigns: readonly ({ readonly campaign: string } & RunResult)[]
  readonly settled: Readonly<Record<string, number>>
  readonly deferred: number
}

async function runRun(
  context: DatabaseContext,
  wanted: string | undefined,
  options: RunOptions,
): Promise<Outcome<RunVerbResult>> {
  const workspace = context.loaded.definition
  const asOf =
    options.asOf === undefined
      ? context.clock.now()
      : parseMoment('--as-of', options.asOf, workspace.timezone)
  const names =
    wanted === undefined ? await appliedCampaigns(context) : [await appliedCampaign(context, wanted)]
  if (names.length === 0) {
    throw new WinbackError('campaign.none', 'no campaign was ever applied', {
      remedy: 'Run `winback apply` first.',
    })
  }
  const runtime = await openRuntime({ database: context.database, workspace, clock: context.clock })
  // The run speaks of one moment; what is sent looks at the clock again and again, for it may take all evening.
  const selecting = { ...runtime.run, clock: { now: () => asOf } }
  try {
    if (options.dryRun) return await countOnly(runtime, names, asOf, context)
    const campaigns = []
    for (const name of names) {
      const current = await runtime.book.current(name)
      if (!current) continue
      const progress = context.output.progress(`Running ${name}`)
      const onProgress = (done: number, total: number) => progress.update(done, total)
      campaigns.push({
        campaign: name,
        ...(await runCampaign({ ...selecting, onProgress }, current, asOf)),
      })
      progress.finish()
    }
    const sent = options.send === false ? { settled: {}, deferred: 0 } : await sendDue(runtime, context)
    const result = { dryRun: false, asOf, campaigns, ...sent }
    const refused = campaigns.some((each) => each.state === 'refused')
    return { data: result, text: formatRun(result, context), exitCode: refused ? EXIT.refused : EXIT.fine }
  } finally {
    await runtime.close()
  }
}

async function countOnly(
  runtime: Runtime,
  names: readonly string[],
  asOf: Date,
  context: DatabaseContext,
): Promise<Outcome<RunVerbResult>> {
  const campaigns = []
  for (const campaign of names) {
    const current = await runtime.book.current(campaign)
    if (!current) continue
    const { cells } = await planAudience(runtime.database, current, asOf, runtime.worker.addressKinds)
    const answers: Record<string, number> = {}
    for (const { answer, contacts } of cells) answers[answer] = (answers[answer] ?? 0) + contacts
    const considered = cells.reduce((sum, cell) => sum + cell.contacts, 0)
    const nothing = { runId: 0, note: 'dry run', advanced: 0, ended: 0 }
    campaigns.push({ campaign, state: 'done' as const, considered, answers, ...nothing })
  }
  const result = { dryRun: true, asOf, campaigns, settled: {}, deferred: 0 }
  return { data: result, text: formatRun(result, context) }
}

async function sendDue(
  runtime: Runtime,
  context: DatabaseContext,
): Promise<{ settled: Record<string, number>; deferred: number }> {
  const settled: Record<string, number> = {}
  let deferred = 0
  let done = 0
  const progress = context.output.progress('Sending')
  const tally = (result: BatchResult) => {
    for (const [state, count] of Object.entries(result.settled))
      settled[state] = (settled[state] ?? 0) + count
    deferred += result.deferred
    done += result.claimed
    progress.update(done, 0, `${done} touchpoints`)
  }
  await dispatchDue(runtime.database, runtime.clock.now(), Number.POSITIVE_INFINITY, async (batch) => {
    tally(await processBatch(runtime.worker, batch))
  })
  progress.finish()
  return { settled, deferred }
}

function formatRun(result: RunVerbResult, context: DatabaseContext): string {
  const locale = Intl.DateTimeFormat().resolvedOptions().locale
  const number = new Intl.NumberFormat(locale)
  const { colors } = context.output
  const lines = result.campaigns.flatMap((each) => {
    const head = `${colors.bold(each.campaign)}  ${each.considered > 0 ? `${number.format(each.considered)} considered` : each.state.replace('_', ' ')}${each.note ? `: ${each.note}` : ''}`
    const answers = Object.entries(each.answers)
      .toSorted(([, a], [, b]) => b - a)
      .map(
        ([answer, count]) =>
          `  ${number.format(count).padStart(9)}  ${answer.padEnd(16)} ${colors.dim(sentence(ANSWERS, answer, languageOf(locale)))}`,
      )
    const ages = [
      ...(each.advanced > 0 ? [`  ${number.format(each.advanced).padStart(9)}  entered the next tier`] : []),
      ...(each.ended > 0 ? [`  ${number.format(each.ended).padStart(9)}  episodes ended`] : []),
    ]
    return [head, ...answers, ...ages]
  })
  const sent = Object.entries(result.settled).map(([state, count]) => `${number.format(count)} ${state}`)
  if (result.deferred > 0) sent.push(`${number.format(result.deferred)} deferred`)
  return [...lines, ...(sent.length > 0 ? ['', `Touchpoints: ${sent.join(', ')}`] : [])].join('\n')
}
