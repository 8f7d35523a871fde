import type { Command } from 'commander'
import { heldBack, type RunResult } from '../audience/run.ts'
import type { MailCatcher } from '../channels/email/catcher.ts'
import { maskText } from '../config/masking.ts'
import { appliedNames } from '../config/versions.ts'
import { messageOf } from '../errors.ts'
import { readShortages } from '../offers/pools.ts'
import { speechOf } from '../reports/words.ts'
import { openRuntime, type Runtime } from '../service/runtime.ts'
import { startScheduler } from '../service/scheduler.ts'
import { startSending } from '../service/sending.ts'
import type { Service, ServiceEvents } from '../service/service.ts'
import { firstLink } from '../web/accounts/users.ts'
import { startWeb } from '../web/server.ts'
import { catchMail } from './catch-mail.ts'
import { openDesk } from './desk.ts'
import { queueEngine } from './engine.ts'
import { aborted } from './interrupt.ts'
import { chooseLocale } from './locale.ts'
import { operator } from './operator.ts'
import type { Outcome } from './output.ts'
import { nextRunOf } from './plan/plan.ts'
import { describe, type Start } from './verb.ts'
import { type DatabaseContext, withWorkspace } from './workspace.ts'

type Role = 'scheduler' | 'worker' | 'web'

export function start(begin: Start): Command[] {
  return [
    role(begin, 'start', ['scheduler', 'worker', 'web'], {
      summary: 'Run everything in one process: schedules, dispatch, sending, sweeping, web',
      description:
        'Runs each campaign by its schedule (a missed run is caught up once), sends what is due, and mends what a ' +
        'crash left behind. Serves the web side as `web` in winback.yaml says. Ctrl-C lets what is under way end.',
      examples: [
        ['winback start', 'all of it, until Ctrl-C'],
        [
          'winback start --catch-mail',
          'while you develop: mails are shown on the web under Outbox, and go nowhere',
        ],
      ],
    }).option('--catch-mail', 'catch the mail sent to this machine and show it on the web; nothing goes out'),
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
    role(begin, 'web', ['web'], {
      summary: 'Only serve the web side: events in, links of messages',
      description:
        'Listens where `web` in winback.yaml says. Any number may run, behind a load balancer that asks /readyz.',
      examples: [['DATABASE_URL=… winback web', 'beside the others, on as many machines as it takes']],
    }),
  ]
}

function role(
  begin: Start,
  name: string,
  roles: readonly Role[],
  about: { summary: string; description: string; examples: readonly (readonly [string, string])[] },
): Command {
  return describe(name, { group: 'run', ...about }).action(
    (options: { catchMail?: boolean }, command: Command) =>
      begin(command, (invocation) =>
        withWorkspace(invocation, (context) => serve(context, roles, options.catchMail === true), {
          drains: true,
        }),
      ),
  )
}

async function serve(
  context: DatabaseContext,
  wanted: readonly Role[],
  catching: boolean,
): Promise<Outcome<{ roles: readonly Role[] }>> {
  const { database, clock, interrupt } = context
  const workspace = context.loaded.definition
  const events = narrate(context)
  const runtime = await openRuntime({
    database,
    workspace,
    clock,
    ...(events.onRefused ? { onRefused: events.onRefused } : {}),
  })
  const engine = queueEngine(context)
  // Asked for by its own verb, it is served whatever the file says.
  const roles = wanted.filter((role) => role !== 'web' || workspace.web.serve || wanted.length === 1)
  const services: Service[] = []
  const restoreWarnings = divertWarnings(context)
  let caught: MailCatcher | undefined
  try {
    // Before anything sends.
    caught = catching ? await catchMail(context) : undefined
    if (caught) {
      context.output.warn('mail is caught and goes nowhere: see Outbox on the web (--catch-mail)')
    }
    // The scheduler first: it migrates the queue before any worker connects.
    if (roles.includes('scheduler'))
      services.push(await startScheduler(runtime, engine, events, undefined, context.loaded))
    if (roles.includes('worker')) services.push(await startSending(runtime, engine, events))
    if (roles.includes('web')) {
      const desk = openDesk(context)
      const server = await startWeb({ runtime, desk, caught, onError: events.onError }, workspace.web)
      services.push(server)
      const base = workspace.web.url ?? server.address
      context.output.note(`Web on ${server.address}`)
      const link = await firstLink(database, clock.now(), operator())
      if (link !== undefined) {
        context.output.note(`  Nobody can sign in yet. Set the admin’s password, once: ${base}${link}`)
      }
    }
    const queue =
      roles.length === 1 && roles[0] === 'web'
        ? ''
        : `, queue on ${engine.kind === 'redis' ? 'Redis' : 'PostgreSQL'}`
    context.output.note(`${workspace.name}: ${listed(roles)} running${queue}. Ctrl-C to stop.`)
    if (roles.includes('scheduler')) {
      for (const line of await upcoming(runtime)) context.output.note(`  ${line}`)
    }
    await aborted(interrupt)
    context.output.note('Letting what is under way end …')
  } finally {
    await Promise.all(services.map((service) => service.close()))
    await runtime.close()
    // Last: it waits for the connections that the channels held.
    await caught?.close()
    restoreWarnings()
  }
  return { data: { roles }, text: 'Stopped.' }
}

/** Each applied campaign with its next run, or why it has none. */
export async function upcoming({ database, book, clock }: Runtime): Promise<string[]> {
  const names = await appliedNames(database)
  if (names.length === 0)
    return ['No campaign was applied yet: run `winback apply`; it is picked up within a minute.']
  const now = clock.now()
  const lines: string[] = []
  for (const name of names) {
    const current = await book.current(name)
    if (!current) continue
    const held = await heldBack(database, current, now)
    const next = nextRunOf(current, held ?? { state: 'runs' }, now)
    const speech = speechOf({ locale: chooseLocale(undefined), timezone: current.timezone })
    const run = next === null ? 'no further run' : `next run ${speech.moment(next)} (${current.timezone})`
    for (const { found, mend } of await readShortages(database, now, name, current.definition.offers)) {
      lines.push(`${name}: ${found}. ${mend}`)
    }
    lines.push(`${name}: ${held ? `${held.note}; ` : ''}${run}`)
  }
  return lines
}

/**
 * BullMQ writes to the console, at each connection, what `winback doctor` says with its remedy: Redis' eviction policy.
 * What else a library has to say becomes a warning of ours.
 * @returns what gives the console back
 */
function divertWarnings({ output }: DatabaseContext): () => void {
  const { warn } = console
  console.warn = (...words: unknown[]) => {
    const text = words.map(String).join(' ')
    if (!text.includes('Eviction policy')) output.warn(text)
  }
  return () => {
    console.warn = warn
  }
}

function isHeldBack({ state, runId }: RunResult): boolean {
  // A stop in the middle of a run is an end of that run, with an id.
  return runId === 0 && ['paused', 'stopped', 'not_yet', 'over'].includes(state)
}

/** A line for each thing that happened; with --json, a JSON line on stderr, so that a log collector can read it. */
export function narrate(context: Pick<DatabaseContext, 'clock' | 'output'>): ServiceEvents {
  // A campaign that is held back is looked at every minute, and told of once.
  const told = new Map<string, string>()
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
      if (isHeldBack(result)) {
        const why = `${result.state} ${result.note}`
        if (told.get(campaign) === why) return
        told.set(campaign, why)
        say(
          'held_back',
          { campaign, state: result.state, note: result.note },
          `${campaign} does not run: ${result.note}`,
        )
        return
      }
      told.delete(campaign)
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
    onTripped: (tripped) => {
      const { scope, name, event, reason } = tripped
      say('tripped', { ...tripped }, `${scope} ${name} ${event.replace('_', ' ')}: ${reason}`)
    },
    onSync: (summary) => {
      // Most syncs of a quiet hour read again what is known, and are nothing to tell of.
      const { sync, state, inserted, updated, rejected } = summary
      if (state === 'busy' || inserted + updated + rejected === 0) return
      const words = `sync ${sync}: ${inserted} new, ${updated} updated, ${rejected} rejected`
      say('sync', { ...summary }, words)
    },
    onRefused: (reasons) =>
      say('redemptions_refused', { reasons }, `redemptions refused: ${counts(reasons)}`),
    onError: (where, error) => context.output.warn(`${where}: ${maskText(messageOf(error))}`),
  }
}

/** `scheduler, worker and web` */
function listed(names: readonly string[]): string {
  const last = names.at(-1) ?? ''
  return names.length < 2 ? last : `${names.slice(0, -1).join(', ')} and ${last}`
}
