import { setTimeout as delay } from 'node:timers/promises'
import type { Command } from 'commander'
import { type ForeseenRun, foreseeRun } from '../../audience/hindrances.ts'
import { planAudience } from '../../audience/plan.ts'
import type { RunResult } from '../../audience/run.ts'
import type { CompiledCampaign } from '../../config/compiled.ts'
import type { Rates } from '../../config/rates.ts'
import { appliedNames } from '../../config/versions.ts'
import { transaction } from '../../database/connect.ts'
import { WinbackError } from '../../errors.ts'
import { closeOverdueCalls } from '../../outcomes/calls.ts'
import { readWaiting, type Waiting } from '../../reports/deferral.ts'
import { fitted, left, painter, right, wrap } from '../../reports/layout.ts'
import { ANSWERS, REASONS, STATES, WAITS } from '../../reports/reasons.ts'
import { bracketed, type Speech, sentence } from '../../reports/words.ts'
import { openRuntime, type Runtime } from '../../service/runtime.ts'
import { freshen, freshenSignals } from '../../service/signals.ts'
import { runOrAge, watchHarm } from '../../service/ticks.ts'
import { type BatchResult, processBatch } from '../../touchpoints/batch.ts'
import { type Batch, dispatchDue } from '../../touchpoints/dispatch.ts'
import { sweep } from '../../touchpoints/sweep.ts'
import { appliedCampaign } from '../applied-campaign.ts'
import { warnOfCountedTypes } from '../counted-types.ts'
import { currentVersion } from '../current-version.ts'
import { PATIENCE } from '../ending.ts'
import { EXIT } from '../failure.ts'
import { foreseenText } from '../foreseen.ts'
import { type Spoken, sayIn, speechIn, spoken } from '../locale.ts'
import { parseMoment } from '../moments.ts'
import type { Outcome } from '../output.ts'
import { steady } from '../steady.ts'
import { describe, type Start } from '../verb.ts'
import { type DatabaseContext, withWorkspace } from '../workspace.ts'
import { reasonOf } from './doctor/finding.ts'
import { trippedText } from './narration.ts'
import { noteText, RUN_STATES } from './run-words.ts'

interface RunOptions extends Spoken {
  readonly asOf?: string
  readonly dryRun?: boolean
  readonly send?: boolean
}

export function run(start: Start): Command {
  const command = describe('run', {
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
  return spoken(command)
    .argument('[campaign]', 'a campaign (default: all that were applied)')
    .option('--as-of <time>', 'the moment the run is for (default: now)')
    .option('--dry-run', 'write nothing; the same counts as `winback plan`')
    .option('--no-send', 'take in and plan, but leave the sending to `winback start` or `winback worker`')
    .action((campaign: string | undefined, options: RunOptions, command: Command) =>
      start(command, (invocation) => {
        const sending: Sending = { underWay: false }
        return withWorkspace(invocation, (context) => runRun(context, campaign, options, sending), {
          spares: () => sending.underWay,
        })
      }),
    )
}

/** Whether a batch is being sent: what became of the messages that were handed over is known here and nowhere else. */
interface Sending {
  underWay: boolean
}

/** One campaign's run, and what was sent after all of them. */
export interface RunVerbResult {
  readonly dryRun: boolean
  readonly asOf: Date
  readonly campaigns: readonly ({
    readonly campaign: string
    /** Of a dry run: what would refuse the run or hold it back. */
    readonly foreseen?: ForeseenRun
  } & Omit<RunResult, 'hindrance'>)[]
  readonly settled: Readonly<Record<string, number>>
  /** Of those that were skipped, how many for which reason. */
  readonly skipped: Readonly<Record<string, number>>
  /** Touchpoints put off while this run was sending. */
  readonly deferred: number
  /** What waits now, by reason, and until when; what earlier runs put off included. */
  readonly waiting: readonly Waiting[]
}

async function runRun(
  context: DatabaseContext,
  wanted: string | undefined,
  options: RunOptions,
  sending: Sending,
): Promise<Outcome<RunVerbResult>> {
  const workspace = context.loaded.definition
  const asOf =
    options.asOf === undefined
      ? context.clock.now()
      : parseMoment('--as-of', options.asOf, workspace.timezone)
  if (asOf > context.clock.now() && !options.dryRun) {
    throw new WinbackError(
      'usage.moment',
      '--as-of lies in the future: a run would end what is not over yet',
      {
        remedy: 'Leave it out, or add --dry-run to see what a run would do then.',
      },
    )
  }
  const names =
    wanted === undefined ? await appliedNames(context.database) : [await appliedCampaign(context, wanted)]
  if (names.length === 0) {
    throw new WinbackError('usage.campaign', 'no campaign was ever applied', {
      remedy: 'Run `winback apply` first.',
    })
  }
  const runtime = await openRuntime({ database: context.database, workspace, clock: context.clock })
  const speech = speechIn(context, options)
  const say = sayIn(context.output)
  // The run speaks of one moment; what is sent looks at the clock again and again, for it may take all evening.
  const selecting = { ...runtime.run, clock: { now: () => asOf } }
  try {
    const fresh = { database: context.database, workspace, clock: selecting.clock }
    if (options.dryRun) {
      await warnOfCountedTypes(context)
      await freshenSignals(fresh)
    } else await freshen(fresh)
    // Of one alone, that it cannot be read is the whole answer.
    const current =
      names.length === 1
        ? (name: string) => runtime.book.current(name)
        : (name: string) => currentVersion(runtime.book, name, context.output, sayIn(speech))
    const chosen = await Promise.all(names.map(current))
    const readable = chosen.flatMap((each) => each ?? [])
    const unread = readable.length < names.length
    if (options.dryRun) return await countOnly(runtime, { readable, unread }, asOf, context, options)
    // Where everything is run by hand or by cron, nobody else looks at what was complained of since the last run.
    for (const tripped of await watchHarm(runtime)) context.output.warn(trippedText(tripped, speech))
    const campaigns = []
    for (const current of readable) {
      const { name } = current
      const progress = context.output.progress(say(`Running ${name}`, `正在运行 ${name}`))
      const onProgress = (done: number, total: number) => progress.update(done, total)
      try {
        const { hindrance, ...result } = await runOrAge({ ...selecting, onProgress }, current, asOf)
        const ran = result.state === 'done' || result.state === 'already_done'
        const foreseen = ran ? undefined : (hindrance ?? (await foreseeRun(runtime.database, current, asOf)))
        campaigns.push({ campaign: name, ...(foreseen ? { foreseen } : {}), ...result })
      } finally {
        progress.finish()
      }
    }
    const sent =
      options.send === false
        ? { settled: {}, skipped: {}, deferred: 0, waiting: [] }
        : await sendDue(runtime, context, sending)
    const result = { dryRun: false, asOf, campaigns, ...sent }
    const refused = campaigns.some((each) => each.state === 'refused')
    return {
      data: result,
      text: formatRun(result, context, speech),
      exitCode: refused ? EXIT.refused : unread ? EXIT.input : EXIT.fine,
    }
  } finally {
    await runtime.close()
  }
}

async function countOnly(
  runtime: Runtime,
  { readable, unread }: { readonly readable: readonly CompiledCampaign[]; readonly unread: boolean },
  asOf: Date,
  context: DatabaseContext,
  options: Spoken,
): Promise<Outcome<RunVerbResult>> {
  const say = sayIn(context.output)
  const campaigns = []
  for (const current of readable) {
    const campaign = current.name
    const progress = steady(context.output.progress(say(`Counting ${campaign}`, `正在统计 ${campaign}`)))
    try {
      const foreseen = await foreseeRun(runtime.database, current, asOf)
      const { cells } = await planAudience(runtime.database, current, asOf, runtime.worker, progress.update)
      const answers: Record<string, number> = {}
      for (const { answer, contacts } of cells) answers[answer] = (answers[answer] ?? 0) + contacts
      const considered = cells.reduce((sum, cell) => sum + cell.contacts, 0)
      // Counted all the same: what the run would do, were it not for that.
      const state: RunResult['state'] = foreseen.state === 'runs' ? 'done' : foreseen.state
      const note = foreseen.state === 'runs' ? 'dry run' : foreseen.note
      const nothing = { runId: 0, advanced: 0, ended: 0 }
      campaigns.push({ campaign, state, note, foreseen, considered, answers, ...nothing })
    } finally {
      progress.finish()
    }
  }
  const result = { dryRun: true, asOf, campaigns, settled: {}, skipped: {}, deferred: 0, waiting: [] }
  const refused = campaigns.some((each) => each.state === 'refused')
  return {
    data: result,
    text: formatRun(result, context, speechIn(context, options)),
    exitCode: refused ? EXIT.refused : unread ? EXIT.input : EXIT.fine,
  }
}

/** Sends what is due. Interrupted, it ends what is being sent, and leaves the rest to the next run. */
async function sendDue(
  runtime: Runtime,
  context: DatabaseContext,
  sending: Sending,
): Promise<Pick<RunVerbResult, 'settled' | 'skipped' | 'deferred' | 'waiting'>> {
  const settled: Record<string, number> = {}
  const skipped: Record<string, number> = {}
  let deferred = 0
  let done = 0
  const say = sayIn(context.output)
  const progress = context.output.progress(say('Sending', '正在发送'))
  const tally = (result: BatchResult) => {
    for (const [state, count] of Object.entries(result.settled))
      settled[state] = (settled[state] ?? 0) + count
    for (const [reason, count] of Object.entries(result.skipped ?? {}))
      skipped[reason] = (skipped[reason] ?? 0) + count
    deferred += result.deferred
    done += result.claimed
    progress.update(done, 0, say(`${done} touchpoints`, `${done} 条`))
  }
  const told = new Set<string>()
  // Of a version that this Winback cannot read: it comes back by its lease, and what others have due goes all the same.
  const tellUnsent = (error: unknown) => {
    if (!(error instanceof WinbackError)) throw error
    const why = reasonOf(error, say)
    if (told.has(why)) return
    told.add(why)
    context.output.warn(
      say(
        `some of what is due was not sent, for its campaign can no longer be read: ${why}`,
        `部分到期消息未发送，因其活动已无法读取：${why}`,
      ),
    )
  }
  const { interrupt } = context
  const worker = { ...runtime.worker, ending: interrupt }
  const send = async (batch: Batch) => {
    sending.underWay = true
    try {
      await processBatch(worker, batch).then(tally, tellUnsent)
    } finally {
      sending.underWay = false
    }
    // What it left is due still, and would be taken again at once.
    interrupt.throwIfAborted()
  }
  const pass = () =>
    dispatchDue(
      runtime.database,
      { now: runtime.clock.now(), jobs: Number.POSITIVE_INFINITY, rates: runtime.rates },
      send,
    )
  const look = () => readWaiting(runtime.database, runtime.clock.now())
  // Where everything is run by hand or by cron, nobody else takes up what a run left behind that was killed.
  await sweep(runtime.database, runtime.clock.now(), runtime.idempotent)
  await transaction(runtime.database, (tx) => closeOverdueCalls(tx, runtime.clock.now()))
  let leaving: NodeJS.Timeout | undefined
  const leave = () => {
    leaving = setTimeout(() => runtime.leave(), PATIENCE)
  }
  interrupt.addEventListener('abort', leave, { once: true })
  try {
    await pass()
    let waiting = await look()
    let handedAt = performance.now()
    // A rate by the second or the minute is there again while we wait; what a day's number holds back is left to another run.
    while (waiting.some(({ why }) => why === 'rate_limit')) {
      await delay(1000, undefined, { signal: interrupt })
      const handed = await pass()
      waiting = await look()
      if (handed > 0) handedAt = performance.now()
      else if (performance.now() - handedAt >= longestSpan(runtime.rates)) break
    }
    return { settled, skipped, deferred, waiting }
  } finally {
    interrupt.removeEventListener('abort', leave)
    clearTimeout(leaving)
    progress.finish()
  }
}

/** Seconds: a span of a provider's rate that is no longer is waited for. */
const MINUTE = 60

/** Milliseconds of the longest span that is waited for. */
function longestSpan({ channels }: Rates): number {
  const spans = [...channels.values()].flatMap(({ rate }) => (rate && rate.per <= MINUTE ? [rate.per] : []))
  return Math.max(0, ...spans) * 1000
}

/** What a run came to, as text. */
function formatRun(result: RunVerbResult, context: DatabaseContext, speech: Speech): string {
  const { colors, width } = context.output
  const { timezone } = context.loaded.definition
  const lines = result.campaigns.flatMap((each) => formatCampaign(each, result.dryRun, speech, context))
  const now = context.clock.now()
  const wait = (waiting: Waiting) => {
    const why = sentence(WAITS, waiting.why, speech.language)
    const from = waiting.earliest <= now ? '' : speech.moment(waiting.earliest) + bracketed(timezone, speech)
    const count = speech.count(waiting.touchpoints)
    if (speech.language !== 'en') return `${count} 条${why}${from ? `，最早 ${from}` : ''}`
    return `${count} ${waiting.touchpoints === 1 ? why : plural(why)}${from ? `, from ${from}` : ''}`
  }
  const en = speech.language === 'en'
  const became = (state: string, count: number) => {
    const words = sentence(STATES, state, speech.language)
    return en ? `${speech.count(count)} ${words}` : `${words} ${speech.count(count)} 条`
  }
  const sent = Object.entries(result.settled).map(([state, count]) => became(state, count))
  if (result.deferred > 0) sent.push(became('deferred', result.deferred))
  const why = Object.entries(result.skipped)
    .toSorted(([, a], [, b]) => b - a)
    .map(([reason, number]) => {
      const words = `${sentence(STATES, 'skipped', speech.language)}${en ? ': ' : '：'}${sentence(REASONS, reason, speech.language)}`
      return en ? `${speech.count(number)} ${words}` : `${speech.count(number)} 条${words}`
    })
  const faint = (text: string) => wrap(text, width - 2).map((line) => `  ${colors.dim(line)}`)
  const messages = speech.language === 'en' ? `Messages: ${sent.join(', ')}` : `消息：${sent.join('，')}`
  return [
    ...lines,
    ...(sent.length > 0 ? ['', ...wrap(messages, width)] : []),
    ...why.flatMap(faint),
    ...result.waiting.flatMap((each) => faint(wait(each))),
  ].join('\n')
}

/** `waits for …` → `wait for …`. */
function plural(verb: string): string {
  return verb
    .replace(/^waits /, 'wait ')
    .replace(/^is /, 'are ')
    .replace(' and waits ', ' and wait ')
    .replace(' and goes ', ' and go ')
    .replace(' its ', ' their ')
}

function formatCampaign(
  each: RunVerbResult['campaigns'][number],
  dryRun: boolean,
  speech: Speech,
  { output }: DatabaseContext,
): string[] {
  const en = speech.language === 'en'
  const { colors, width } = output
  const considered = en
    ? `${speech.count(each.considered)} considered`
    : `考察 ${speech.count(each.considered)} 人`
  const state = RUN_STATES[each.state][speech.language]
  const counted = dryRun || each.considered > 0 || each.state === 'done'
  // What keeps a run back is told in full beneath.
  const note =
    !each.foreseen && !dryRun && each.note ? `${en ? ': ' : '：'}${noteText(each.note, speech.language)}` : ''
  const dry = dryRun ? (en ? ' (dry run: nothing is written)' : '（试运行：不写入任何数据）') : ''
  const foreseen = each.foreseen && foreseenText(each.foreseen, each.campaign, speech)
  const answers = Object.entries(each.answers)
    .toSorted(([, a], [, b]) => b - a)
    .map(([answer, count]) => [speech.count(count), answer, sentence(ANSWERS, answer, speech.language)])
  const ages: [number, string, string][] = [
    [each.advanced, 'advanced', en ? 'entered the next tier' : '进入下一阶段'],
    [each.ended, 'ended', en ? 'episodes ended' : '已结束'],
  ]
  const cells = [
    ...answers,
    ...ages.filter(([count]) => count > 0).map(([count, name, words]) => [speech.count(count), name, words]),
  ]
  const columns = [right(''), left(''), left('')]
  return [
    `${colors.bold(each.campaign)}  ${counted ? considered : state}${note}${dry}`,
    ...(foreseen ? wrap(foreseen, width - 2).map((line) => `  ${colors.yellow(line)}`) : []),
    ...fitted(columns, cells, painter(colors.isColorSupported), width),
  ]
}
