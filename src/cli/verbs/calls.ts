import { type Command, Option } from 'commander'
import { CALL_OUTCOMES, type CallOutcome, SENTIMENTS, type Sentiment } from '../../channels/channel.ts'
import { isLeavingReason, LEAVING_REASONS } from '../../config/reasons.ts'
import { WinbackError } from '../../errors.ts'
import { type CallFilter, callIdOf, readCallId } from '../../outcomes/calls.ts'
import { OVER_WORDS } from '../../reports/call-words.ts'
import { painter } from '../../reports/layout.ts'
import { concludeCall, giveCallBack, showCall, showCalls, takeCall } from '../../service/calls.ts'
import { appliedCampaign } from '../applied-campaign.ts'
import { type Spoken, speechIn, spoken } from '../locale.ts'
import { parseMoment } from '../moments.ts'
import { operator } from '../operator.ts'
import type { Outcome } from '../output.ts'
import { openQuietRuntime } from '../quiet-runtime.ts'
import { nearMisses } from '../suggestion.ts'
import { bounded, describe, type Start } from '../verb.ts'
import { type DatabaseContext, startInWorkspace } from '../workspace.ts'
import { formatCall, formatCalls, formatConcluded, formatReleased } from './calls-text.ts'

interface Agent {
  readonly agent?: string
}

interface OutcomeOptions extends Agent, Spoken {
  readonly reason?: string
  readonly minutes?: string
  readonly sentiment?: Sentiment
  readonly notes?: string
  readonly next?: string
}

export function calls(start: Start): Command {
  const command = describe('calls', {
    group: 'run',
    summary: 'Work through the calls that people are to make',
    description: `Outcomes: ${CALL_OUTCOMES.join(', ')}.\nReasons: ${Object.keys(LEAVING_REASONS).join(', ')}.`,
    examples: [
      ['winback calls list', 'the queue, the most urgent first'],
      ['winback calls claim call-7-2', 'take it: shows the number and the script'],
      ['winback calls release call-7-2', 'give it back: somebody else may take it'],
      [
        'winback calls outcome call-7-2 promised --reason price --minutes 4 --sentiment positive',
        'what became of it',
      ],
    ],
  })
  const withAgent = (child: Command) =>
    spoken(child.option('--agent <name>', 'who calls (default: your account)', bounded('--agent', 'line')))
  spoken(command.command('list').description('The queue, the most urgent first'))
    .option('--free', 'only what may be called now and nobody has taken')
    .option('--campaign <name>', 'of one campaign')
    .action((options: CallFilter & Spoken, child: Command) =>
      startInWorkspace(start, child, (context) => runList(context, options)),
    )
  withAgent(
    command.command('claim').description('Take a call').argument('<id>', 'as the list shows it'),
  ).action((id: string, options: Agent & Spoken, child: Command) =>
    startInWorkspace(start, child, (context) => runClaim(context, id, options)),
  )
  withAgent(
    command.command('release').description('Give a call back').argument('<id>', 'as the list shows it'),
  ).action((id: string, options: Agent & Spoken, child: Command) =>
    startInWorkspace(start, child, (context) => runRelease(context, id, options)),
  )
  withAgent(
    command
      .command('outcome')
      .description('Say what became of a call')
      .argument('<id>', 'as the list shows it'),
  )
    .argument('<outcome>', CALL_OUTCOMES.join(', '))
    .option('--reason <code>', 'why the contact stays away')
    .option('--minutes <number>', 'how long it took')
    .addOption(new Option('--sentiment <how>', 'how the contact felt').choices([...SENTIMENTS]))
    .option('--notes <text>', 'what was said', bounded('--notes', 'note'))
    .option('--next <time>', 'when to try again: 2026-11-25T10:00:00+08:00')
    .action((id: string, outcome: string, options: OutcomeOptions, child: Command) =>
      startInWorkspace(start, child, (context) => runOutcome(context, id, outcome, options)),
    )
  return command
}

async function runList(context: DatabaseContext, filter: CallFilter & Spoken): Promise<Outcome> {
  const speech = speechIn(context, filter)
  // The calls of a campaign there never was are none, which would pass for a queue that is done.
  if (filter.campaign !== undefined) await appliedCampaign(context, filter.campaign)
  const found = await showCalls(await openQuietRuntime(context), filter)
  const { colors, width } = context.output
  return {
    data: { calls: found.map((call) => ({ id: callIdOf(call), ...call })) },
    text: formatCalls(found, context.clock.now(), speech, painter(colors.isColorSupported), width),
  }
}

async function runClaim(context: DatabaseContext, id: string, options: Agent & Spoken): Promise<Outcome> {
  const key = keyOf(id)
  const speech = speechIn(context, options)
  const runtime = await openQuietRuntime(context)
  const answer = await takeCall(runtime, key, options.agent ?? operator())
  if (answer.outcome === 'unknown') throw unknownCall(id)
  if (answer.outcome === 'taken') {
    throw new WinbackError('calls.taken', `${answer.by} has taken ${id}`, {
      remedy: '`winback calls list --free` shows what nobody has taken.',
    })
  }
  if (answer.outcome === 'over') {
    throw new WinbackError('calls.over', `${id} is over: ${OVER_WORDS[answer.by]?.en ?? answer.by}`, {
      remedy: 'Take another.',
    })
  }
  if (answer.outcome === 'paused') {
    throw new WinbackError('calls.paused', `${id} is held back by a pause`, {
      remedy: 'It can be taken once what is paused is resumed; `winback doctor` names it.',
    })
  }
  if (answer.outcome === 'quiet_hours') {
    throw new WinbackError(
      'calls.quiet_hours',
      `it is outside the hours of the campaign where the contact of ${id} is, until ${answer.until.toISOString()}`,
      { remedy: '`winback calls list --free` shows whom it is the hour to call.' },
    )
  }
  const shown = await showCall(runtime, key)
  return {
    data: { id, ...answer.call, attempts: shown?.attempts ?? [] },
    text: formatCall(answer.call, shown?.attempts ?? [], speech),
  }
}

async function runRelease(context: DatabaseContext, id: string, options: Agent & Spoken): Promise<Outcome> {
  const speech = speechIn(context, options)
  const agent = options.agent ?? operator()
  const released = await giveCallBack(await openQuietRuntime(context), keyOf(id), agent)
  if (!released)
    throw new WinbackError('calls.not_held', `${agent} does not hold ${id}`, {
      remedy: '`winback calls list` shows who has taken it; give their name as --agent.',
    })
  return { data: { id, released }, text: formatReleased(id, speech) }
}

async function runOutcome(
  context: DatabaseContext,
  id: string,
  text: string,
  options: OutcomeOptions,
): Promise<Outcome> {
  const key = keyOf(id)
  const speech = speechIn(context, options)
  const outcome = CALL_OUTCOMES.find((each): each is CallOutcome => each === text)
  if (!outcome) {
    throw new WinbackError('usage.outcome', `there is no outcome "${text}"`, {
      remedy: oneOf(text, CALL_OUTCOMES),
    })
  }
  const { reason, minutes = '0', sentiment, notes, next } = options
  if (reason !== undefined && !isLeavingReason(reason)) {
    throw new WinbackError('usage.reason', `there is no reason "${reason}"`, {
      remedy: oneOf(reason, Object.keys(LEAVING_REASONS)),
    })
  }
  const taken = Number(minutes)
  const { timezone } = context.loaded.definition
  const nextAttemptAt = next === undefined ? undefined : parseMoment('--next', next, timezone)
  if (!(taken >= 0 && taken <= 600))
    throw new WinbackError('usage.minutes', `--minutes wants 0 to 600, found "${minutes}"`)
  const by = options.agent ?? operator()
  const at = context.clock.now()
  if (nextAttemptAt && nextAttemptAt <= at) {
    throw new WinbackError('usage.time', `--next ${next} lies in the past`)
  }
  const eventId = `${by} ${at.toISOString()}`
  const seconds = Math.round(taken * 60)
  const attempt = { eventId, at, by, outcome, reason, seconds, sentiment, notes, nextAttemptAt }
  const runtime = await openQuietRuntime(context)
  const answer = await concludeCall(runtime, key, attempt)
  const shown = await showCall(runtime, key)
  if (answer.outcome === 'unknown' || !shown) throw unknownCall(id)
  const ended = answer.outcome === 'recorded' && answer.ends !== undefined
  const { call } = shown
  return {
    data: { id, ...call, marketingEnded: ended },
    text: formatConcluded(call, ended, speech),
  }
}

function oneOf(text: string, names: readonly string[]): string {
  const meant = nearMisses(text, names)
  return meant.length > 0 ? `Did you mean ${meant.join(' or ')}?` : `Use one of ${names.join(', ')}.`
}

function keyOf(id: string) {
  const key = readCallId(id)
  if (!key) throw unknownCall(id)
  return key
}

function unknownCall(id: string): WinbackError {
  return new WinbackError('calls.unknown', `there is no call ${id}`, {
    remedy: '`winback calls list` shows the ids.',
  })
}
