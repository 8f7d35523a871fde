import { sql } from 'drizzle-orm'
import { heldBack } from '../../audience/hindrances.ts'
import type { MailCatcher } from '../../channels/email/catcher.ts'
import { within } from '../../channels/within.ts'
import { maskText } from '../../config/masking.ts'
import { appliedNames } from '../../config/versions.ts'
import { rows } from '../../database/connect.ts'
import { messageOf } from '../../errors.ts'
import { readShortages } from '../../offers/pools.ts'
import { type Speech, speechOf } from '../../reports/words.ts'
import { type Loop, startLoop } from '../../service/loop.ts'
import { shortageWarning } from '../../service/plan/sentences.ts'
import { openRuntime, type Runtime } from '../../service/runtime.ts'
import type { Service } from '../../service/service.ts'
import type { Engine } from '../../touchpoints/queue/engine.ts'
import { firstLink } from '../../web/accounts/users.ts'
import { currentVersion } from '../current-version.ts'
import { endAll, type Part, SILENCE } from '../ending.ts'
import { queueEngine } from '../engine.ts'
import { hindranceText } from '../foreseen.ts'
import { aborted } from '../interrupt.ts'
import { type Say, type Spoken, sayIn, speechIn } from '../locale.ts'
import { operator } from '../operator.ts'
import { type Outcome, timed } from '../output.ts'
import type { Invocation } from '../verb.ts'
import { type DatabaseContext, withWorkspace } from '../workspace.ts'
import { narrate } from './narration.ts'
import { nextRunOf } from './plan/plan.ts'

/** Milliseconds in which a database that is well says that it is there. */
const DATABASE_PATIENCE = 2_000

/** `scheduler, worker and web` */
const LIST = new Intl.ListFormat('en-GB')

export type Role = 'scheduler' | 'worker' | 'web'

export interface ServeOptions extends Spoken {
  readonly catchMail?: boolean
}

/** Runs these parts of the service until Ctrl-C. */
export async function serve(
  invocation: Invocation,
  roles: readonly Role[],
  options: ServeOptions,
): Promise<Outcome<undefined>> {
  const output = timed(invocation.output, invocation.clock)
  let leaving: NodeJS.Timeout | undefined
  const ended = async (context: DatabaseContext) => {
    try {
      return await serveWith(context, roles, options)
    } finally {
      // A database that hangs holds its connections, too.
      leaving = setInterval(() => tellLeaving(context, speechIn(context, options)), SILENCE)
    }
  }
  return withWorkspace({ ...invocation, output }, ended, { drains: true }).finally(() =>
    clearInterval(leaving),
  )
}

async function serveWith(
  context: DatabaseContext,
  wanted: readonly Role[],
  options: ServeOptions,
): Promise<Outcome<undefined>> {
  const { database, clock, interrupt } = context
  const workspace = context.loaded.definition
  const speech = speechIn(context, options)
  const say = sayIn(speech)
  const events = narrate(context, speech)
  const runtime = await openRuntime({
    database,
    workspace,
    clock,
    onRefused: events.onRefused,
    onRest: events.onRest,
    onReach: events.onReach,
  })
  const engine = queueEngine(context)
  // Asked for by its own verb, it is served whatever the file says.
  const roles = wanted.filter((role) => role !== 'web' || workspace.web.serve || wanted.length === 1)
  const parts: Part[] = []
  const tell = tellerOf(context)
  const restoreWarnings = divertWarnings(context)
  const clockKept = keepClock(context, say)
  let caught: MailCatcher | undefined
  try {
    // Before anything sends.
    caught = options.catchMail ? await (await import('./catch-mail.ts')).catchMail(context) : undefined
    if (caught) {
      context.output.warn(
        say(
          'mail is caught and goes nowhere: see Outbox on the web (--catch-mail)',
          '邮件将被拦截，不会外发：请在网页的“发件箱”中查看（--catch-mail）',
        ),
      )
    }
    // Each part is read by whoever runs it: a machine that only serves the web knows nothing of the queue, nor one that only
    // sends of the pages.
    const hold = (name: Role, { close }: Service) => parts.push({ name, close })
    // The web first: where its port is taken, nothing was queued that nobody sends.
    if (roles.includes('web')) {
      const [{ startWeb }, { openDesk }] = await Promise.all([
        import('../../web/server.ts'),
        import('./desk.ts'),
      ])
      const desk = openDesk(context)
      const server = await startWeb({ runtime, desk, caught, onError: events.onError }, workspace.web)
      hold('web', server)
      await tellAddress(context, server.address, tell, say)
    }
    // The scheduler before any worker connects: it migrates the queue.
    if (roles.includes('scheduler')) {
      const { startScheduler } = await import('../../service/scheduler.ts')
      hold('scheduler', await startScheduler(runtime, engine, events, { text: context.loaded }))
    }
    if (roles.includes('worker')) {
      const { startSending } = await import('../../service/sending.ts')
      hold('worker', await startSending(runtime, engine, events))
    }
    const next = roles.includes('scheduler') ? await upcoming(runtime, context, speech.locale) : []
    tell('running', { workspace: workspace.name, roles, queue: engine.kind, campaigns: next }, [
      runningText(workspace.name, roles, engine.kind, speech),
      ...next.map((line) => `  ${line}`),
    ])
    await aborted(interrupt)
    tell('ending', {}, [say('Letting what is under way end …', '正在等待进行中的工作完成 …')])
  } finally {
    await endAll(
      parts,
      (names) => void tellWaiting(context, names, speech),
      () => runtime.leave(),
    )
    await clockKept?.stop()
    await runtime.close()
    // Last: it waits for the connections that the channels held.
    await caught?.close()
    restoreWarnings()
  }
  return { data: undefined, text: say('Stopped.', '已停止。') }
}

/** Milliseconds between two looks whether this machine's clock agrees with the database's. */
const CLOCK_PACE = 10_000

/** Goes by the database's time for as long as this runs, and says where the machine's own is another. */
function keepClock({ sharedClock: clock, output }: DatabaseContext, say: Say): Loop | undefined {
  if (!clock) return undefined
  const tell = () => {
    const ahead = Math.round(clock.ahead / 1000)
    const seconds = Math.abs(ahead)
    const words =
      ahead === 0
        ? say('this machine’s clock agrees with the database’s again', '本机时钟已与数据库一致')
        : say(
            `this machine’s clock is ${seconds} s ${ahead > 0 ? 'ahead of' : 'behind'} the database’s, which counts`,
            `本机时钟比数据库${ahead > 0 ? '快' : '慢'} ${seconds} 秒，以数据库为准`,
          )
    output.event({ at: clock.now(), event: 'clock', facts: { ahead }, words, warning: ahead !== 0 })
  }
  if (clock.ahead !== 0) tell()
  const renew = async () => {
    if (await clock.renew()) tell()
    return CLOCK_PACE
  }
  // Whether the database is there is told by whoever has to have it.
  return startLoop(() => {}, CLOCK_PACE, renew)
}

type Tell = (event: string, facts: Record<string, unknown>, lines: readonly string[]) => void

/** An event with its facts where output is JSON, and lines where a person reads. */
function tellerOf({ clock, output }: DatabaseContext): Tell {
  return (event, facts, lines) => {
    if (output.json) output.event({ at: clock.now(), event, facts, words: '' })
    else for (const line of lines) output.note(line)
  }
}

/** Where the web side is, and how the first of its users gets in. */
async function tellAddress(
  { database, clock, loaded }: DatabaseContext,
  address: string,
  tell: Tell,
  say: Say,
): Promise<void> {
  tell('web', { address }, [say(`Web on ${address}`, `网页地址：${address}`)])
  const path = await firstLink(database, clock.now(), operator())
  if (path === undefined) return
  const link = `${loaded.definition.web.url ?? address}${path}`
  tell('nobody_can_sign_in', { link }, [
    say(
      `  Nobody can sign in yet. Set the admin’s password, once: ${link}`,
      `  目前还没有人能登录。请用此链接设置管理员密码，仅可使用一次：${link}`,
    ),
  ])
}

/** Says what has not ended yet, and whether the database is why. */
async function tellWaiting(
  { database, clock, output }: DatabaseContext,
  names: readonly string[],
  { language }: Speech,
): Promise<void> {
  const silent = await within(DATABASE_PATIENCE, 'the database', 'say whether it is there', () =>
    rows(database, sql`SELECT`),
  ).then(
    () => undefined,
    (error: unknown) => maskText(messageOf(error)),
  )
  const words =
    language === 'en'
      ? `still waiting for ${LIST.format(names)} to end${silent === undefined ? '' : `: ${silent}`}`
      : `仍在等待 ${names.join('、')} 结束${silent === undefined ? '' : `：${silent}`}`
  output.event({
    at: clock.now(),
    event: 'waiting',
    facts: { for: names, database: silent ?? 'answers' },
    words,
    warning: true,
  })
}

/** Says that everything has ended, and only the database has not let go. */
function tellLeaving({ clock, output }: DatabaseContext, speech: Speech): void {
  const words = sayIn(speech)(
    'still waiting for the database to let go of its connections',
    '仍在等待数据库断开连接',
  )
  const facts = { for: ['database'] }
  output.event({ at: clock.now(), event: 'waiting', facts, words, warning: true })
}

/** What runs, on which queue, and how to end it. */
function runningText(
  name: string,
  roles: readonly Role[],
  queue: Engine['kind'],
  { language }: Speech,
): string {
  const on = queue === 'redis' ? 'Redis' : 'PostgreSQL'
  const alone = roles.length === 1 && roles[0] === 'web'
  return language === 'en'
    ? `${name}: ${LIST.format(roles)} running${alone ? '' : `, queue on ${on}`}. Ctrl-C to stop.`
    : `${name}：${roles.join('、')} 运行中${alone ? '' : `，队列使用 ${on}`}。按 Ctrl-C 停止。`
}

/** Each applied campaign with its next run, or why it has none. */
async function upcoming(
  { database, book, clock }: Runtime,
  { output }: Pick<DatabaseContext, 'output'>,
  locale: string,
): Promise<string[]> {
  const names = await appliedNames(database)
  if (names.length === 0) {
    const none = 'No campaign was applied yet: run `winback apply`; it is picked up within a minute.'
    return [sayIn(speechOf({ locale }))(none, '尚未应用过活动：请运行 `winback apply`，一分钟内生效。')]
  }
  const now = clock.now()
  const lines: string[] = []
  for (const name of names) {
    const current = await currentVersion(book, name, output, sayIn(speechOf({ locale })))
    if (!current) continue
    const held = await heldBack(database, current, now)
    const next = nextRunOf(current, held ?? { state: 'runs' }, now)
    const speech = speechOf({ locale, timezone: current.timezone })
    const say = sayIn(speech)
    const moment = next && `${speech.moment(next)}${say(' (', '（')}${current.timezone}${say(')', '）')}`
    const run =
      moment === null ? say('no further run', '不再运行') : say(`next run ${moment}`, `下次运行 ${moment}`)
    for (const shortage of await readShortages(database, now, name, current.definition.offers)) {
      lines.push(`${name}${say(': ', '：')}${shortageWarning(shortage, name, speech)}`)
    }
    const why = held ? `${hindranceText(held, speech)}${say('; ', '；')}` : ''
    lines.push(`${name}${say(': ', '：')}${why}${run}`)
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
