import type { Command } from 'commander'
import { messageOf } from '../errors.ts'
import { openRuntime } from '../service/runtime.ts'
import { type Service, type ServiceEvents, startScheduler, startSending } from '../service/service.ts'
import { queueEngine } from './engine.ts'
import type { Outcome } from './output.ts'
import { describe, type Start } from './verb.ts'
import { type DatabaseContext, withWorkspace } from './workspace.ts'

type Role = 'scheduler' | 'worker'

export function start(begin: Start): Command[] {
  return [
    role(begin, 'start', ['scheduler', 'worker'], {
      summary: 'Run everything in one process: schedules, dispatch, sending, sweeping',
      description:
        'Runs each campaign by its schedule (a missed run is caught up once), sends what is due, and mends what a ' +
        'crash left behind. Ctrl-C lets what is under way end.',
      examples: [['winback start', 'all of it, until Ctrl-C']],
    }),
    role(begin, 'worker', ['worker'], {
      summary: 'Only send: one more machine for the work',
      description: 'Takes batches from the queue that a scheduler fills. Any number may run, anywhere.',
      examples: [['DATABASE_URL=… REDIS_URL=… winback worker', 'on a second machine']],
    }),
    role(begin, 'scheduler', ['scheduler'], {
      summary: 'Only schedule, dispatch and sweep',
      description: 'Several may run: each schedule still runs once.',
      examples: [['DATABASE_URL=… REDIS_URL=… winback scheduler', 'beside workers on other machines']],
    }),
  ]
}

function role(
  begin: Start,
  name: string,
  roles: readonly Role[],
  about: { summary: string; description: string; examples: readonly (readonly [string, string])[] },
): Command {
  return describe(name, { group: 'run', ...about }).action((_options: unknown, command: Command) =>
    begin(command, (invocation) =>
      withWorkspace(invocation, (context) => serve(context, roles), { drains: true }),
    ),
  )
}

async function serve(
  context: DatabaseContext,
  roles: readonly Role[],
): Promise<Outcome<{ roles: readonly Role[] }>> {
  const { database, clock, interrupt } = context
  const runtime = await openRuntime({ database, workspace: context.loaded.definition, clock })
  const engine = queueEngine(context)
  const events = narrate(context)
  const services: Service[] = []
  try {
    // The scheduler first: it migrates the queue before any worker connects.
    if (roles.includes('scheduler')) services.push(await startScheduler(runtime, engine, events))
    if (roles.includes('worker')) services.push(await startSending(runtime, engine, events))
    context.output.note(
      `${context.loaded.definition.name}: ${roles.join(' and ')} running, queue on ${engine.kind === 'redis' ? 'Redis' : 'PostgreSQL'}. Ctrl-C to stop.`,
    )
    await aborted(interrupt)
    context.output.note('Letting what is under way end …')
  } finally {
    await Promise.all(services.map((service) => service.close()))
    await runtime.close()
  }
  return { data: { roles }, text: 'Stopped.' }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}

/** A line for each thing that happened; with --json, a JSON line on stderr, so that a log collector can read it. */
function narrate(context: DatabaseContext): ServiceEvents {
  const say = (event: string, facts: Record<string, unknown>, words: string) => {
    const at = context.clock.now().toISOString()
    if (context.output.json) process.stderr.write(`${JSON.stringify({ at, event, ...facts })}\n`)
    else context.output.note(`${context.output.colors.dim(at)} ${words}`)
  }
  const counts = (record: Readonly<Record<string, number>>) =>
    Object.entries(record)
      .map(([name, count]) => `${count} ${name}`)
      .join(', ')
  return {
    onRun: (campaign, tick, result) => {
      const words = `run ${campaign} for ${tick.toISOString()}: ${result.state}${result.note ? ` (${result.note})` : ''}, ${result.considered} considered, ${counts(result.answers)}`
      say('run', { campaign, tick, ...result }, words)
      if (result.state === 'refused') context.output.warn(`${campaign} refused to run: ${result.note}`)
    },
    onBatch: (result) => {
      if (result.claimed === 0) return
      const settled = counts(result.settled)
      say(
        'batch',
        { ...result },
        `batch of ${result.claimed}: ${settled}${result.deferred ? `, ${result.deferred} deferred` : ''}`,
      )
    },
    onSweep: (swept) => {
      const { released, repeated, uncertain } = swept
      if (released + repeated + uncertain > 0) {
        say(
          'sweep',
          { ...swept },
          `swept: ${released} released, ${repeated} to be repeated, ${uncertain} uncertain`,
        )
      }
    },
    onError: (where, error) => context.output.warn(`${where}: ${messageOf(error)}`),
  }
}
