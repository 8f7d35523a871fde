import type { Command } from 'commander'
import { sql } from 'drizzle-orm'
import { type ChannelRegistry, channelsSetUp } from '../../channels/channels.ts'
import * as config from '../../config/switches.ts'
import { rows, type Session } from '../../database/connect.ts'
import { WinbackError } from '../../errors.ts'
import { recordStop } from '../../outcomes/silence.ts'
import { switchReason } from '../../reports/switch-reason.ts'
import { type Speech, speechOf } from '../../reports/words.ts'
import { makeDue } from '../../touchpoints/lifecycle.ts'
import { type Absence, endRests } from '../../touchpoints/sending/absences.ts'
import { appliedCampaign } from '../applied-campaign.ts'
import { type Ask, terminal } from '../confirm.ts'
import { chooseLocale, type Spoken, sayIn, speechIn, spoken } from '../locale.ts'
import { operator } from '../operator.ts'
import type { Outcome } from '../output.ts'
import { namedBy } from '../still-held.ts'
import { bounded, describe, type Start } from '../verb.ts'
import { type DatabaseContext, startInWorkspace, withReadable } from '../workspace.ts'

interface SwitchOptions extends Spoken {
  readonly channel?: string
  readonly all?: boolean
  readonly reason?: string
}

export function pause(start: Start): Command {
  return switchable('pause', start, runPause, {
    summary: 'Hold back what would be sent, until resumed',
    description:
      'Takes effect at once, on every machine. Nothing is lost: what is due waits, up to the campaign’s max_delay. ' +
      'While a channel is paused people are still taken in; a paused campaign, or all of them, takes in nobody, ' +
      'but for what a run that is under way still does.',
    examples: [
      ['winback pause graded-recall --reason "wrong price"', 'one campaign'],
      ['winback pause --channel email', 'one channel, in every campaign'],
      ['winback pause --all', 'everything'],
    ],
  })
}

export function resume(start: Start): Command {
  return switchable('resume', start, runResume, {
    summary: 'Let what was paused go on',
    description:
      'A channel that rests because its provider could not be reached is tried at once where it is named, and every such ' +
      'channel with --all: there is no need to wait once a password is mended.',
    examples: [
      ['winback resume graded-recall', 'one campaign'],
      ['winback resume --channel email', 'one channel, in every campaign'],
      [
        'winback resume --all',
        'lifts the pause of everything, and has channels that rest tried; what was paused by itself stays paused',
      ],
    ],
  })
}

export function stop(start: Start): Command {
  const command = describe('stop', {
    group: 'run',
    summary: 'End a campaign for good',
    description:
      'It takes nobody in any more and sends nothing more. Outcomes are still counted. There is no way back, so it ' +
      'asks first; `winback pause` holds a campaign back until it is resumed.',
    examples: [
      ['winback stop graded-recall --reason "season over"', 'says whom it concerns, asks, and ends it'],
      ['winback stop graded-recall --yes', 'without asking, for a script'],
    ],
  })
  return spoken(command)
    .argument('<campaign>', 'the campaign')
    .option('--yes', 'do not ask')
    .option('--reason <text>', 'why, for those who read it later', bounded('--reason', 'line'))
    .action((campaign: string, options: StopOptions, command: Command) =>
      startInWorkspace(start, command, (context) => runStop(context, campaign, options)),
    )
}

async function runPause(
  context: SwitchContext,
  target: config.SwitchTarget,
  { reason, speech }: Asked,
): Promise<Outcome> {
  await assertExists(context, target)
  const switched = await config.pause(context.database, target, { reason, clock: context.clock })
  const say = sayIn(speech)
  const what = wordsOf(target, speech)
  const why = switchReason(switched.now?.reason ?? reason, speech.language)
  if (switched.outcome === 'changed') {
    const text = say(
      `Paused ${what}: ${why}. \`winback resume ${namedBy(target)}\` lets it go on.`,
      `已暂停${what}：${why}。用 \`winback resume ${namedBy(target)}\` 恢复。`,
    )
    return { data: switched, text }
  }
  const since = switched.now ? speech.moment(switched.now.since) : ''
  const text = say(
    `${capital(what)} is paused already, since ${since}: ${why}`,
    `${what}：此前已暂停（自 ${since}），${why}`,
  )
  return { data: switched, text }
}

async function runResume(
  context: SwitchContext,
  target: config.SwitchTarget,
  { speech }: Asked,
): Promise<Outcome> {
  await assertExists(context, target)
  const { database, clock } = context
  const switched = await config.resume(database, target)
  const now = clock.now()
  const rested = await endRestsOf(database, target, now)
  for (const { channel } of rested) await makeDue(database, channel, now)
  const others = await config.readSwitches(database)
  const say = sayIn(speech)
  const what = wordsOf(target, speech)
  const text = [
    switched.outcome === 'changed'
      ? say(`Resumed ${what}.`, `已恢复${what}。`)
      : say(`There was no pause of ${what}.`, `${what}：并未暂停。`),
    ...rested.map((each) => restedText(each, target, speech)),
    ...others.map((each) =>
      say(
        `Still ${each.state}: ${wordsOf(each, speech)} (${each.reason})`,
        `仍处于${each.state === 'stopped' ? '停止' : '暂停'}：${wordsOf(each, speech)}（${switchReason(each.reason, speech.language)}）`,
      ),
    ),
  ].join('\n')
  const data = { ...switched, rested: target.scope === 'workspace' ? rested : (rested[0] ?? null), others }
  return { data, text }
}

/** Of the channel that is resumed, or of all where everything is: whoever resumes has mended what was wrong. */
async function endRestsOf(
  database: DatabaseContext['database'],
  { scope, name }: config.SwitchTarget,
  now: Date,
): Promise<Absence[]> {
  if (scope === 'campaign') return []
  return await endRests(database, now, scope === 'channel' ? name : undefined)
}

/** That a rest has ended does not mean that the provider is back. */
function restedText(
  { channel, since, detail }: Absence,
  { scope }: config.SwitchTarget,
  speech: Speech,
): string {
  const [from, name] = [speech.moment(since), scope === 'channel' ? undefined : speech.channel(channel)]
  return sayIn(speech)(
    `${name ?? 'It'} rested, for its provider cannot be reached since ${from} (${detail}): the next batch tries it now.`,
    `${name ?? ''}此前因服务商自 ${from} 起无法连接（${detail}）而暂缓发送：下一批将立即尝试。`,
  )
}

interface StopOptions extends SwitchOptions {
  readonly yes?: boolean
}

/** Whom a stop concerns. */
interface Concerned {
  readonly people: number
  readonly messages: number
}

async function countConcerned(session: Session, campaign: string): Promise<Concerned> {
  const [found] = await rows<Concerned>(
    session,
    sql`SELECT
      (SELECT count(*) FROM episodes WHERE campaign = ${campaign} AND ended_at IS NULL AND silenced_at IS NULL
        AND arm = 'treated') AS people,
      (SELECT count(*) FROM touchpoints JOIN steps USING (step_id) WHERE campaign = ${campaign}) AS messages`,
  )
  return found ?? { people: 0, messages: 0 }
}

/**
 * Has a stop confirmed: by `--yes`, or by the campaign's name typed at the terminal.
 * @throws WinbackError `usage.confirm` where nobody can be asked, or another answer was given
 */
export async function confirmStop(
  campaign: string,
  concerned: Concerned,
  yes: boolean,
  ask: Ask | undefined,
  speech: Speech,
): Promise<void> {
  if (yes) return
  if (!ask) {
    throw new WinbackError(
      'usage.confirm',
      `stopping ${campaign} has no way back: ${stopFacts(concerned, ENGLISH)}`,
      {
        remedy: `Add --yes if that is meant; \`winback pause ${campaign}\` holds it back until it is resumed.`,
        facts: { ...concerned },
      },
    )
  }
  const facts = stopFacts(concerned, speech)
  const answer = await ask(
    sayIn(speech)(
      `Stopping ${campaign} has no way back: ${facts}.\nType the campaign’s name to stop it: `,
      `停止 ${campaign} 后无法恢复：${facts}。\n输入活动名称以确认停止：`,
    ),
  )
  if (answer.trim() === campaign) return
  throw new WinbackError('usage.confirm', `${campaign} was not stopped: the name was not typed`, {
    remedy: `\`winback pause ${campaign}\` holds it back until it is resumed.`,
  })
}

/** What errors are written in. */
const ENGLISH = speechOf({ locale: 'en' })

function stopFacts(concerned: Concerned, speech: Speech): string {
  const { people, messages } = concernedWords(concerned, speech)
  return sayIn(speech)(
    `${people} would be contacted no more, ${messages} cancelled`,
    `${people}将不再触达，${messages}将取消`,
  )
}

/** `1 person` and `2 planned messages`. */
function concernedWords({ people, messages }: Concerned, { language, count }: Speech) {
  const en = language === 'en'
  return {
    people: en ? `${count(people)} ${people === 1 ? 'person' : 'people'}` : `${count(people)} 人`,
    messages: en
      ? `${count(messages)} planned ${messages === 1 ? 'message' : 'messages'}`
      : `${count(messages)} 条已计划的消息`,
  }
}

async function runStop(context: DatabaseContext, name: string, options: StopOptions): Promise<Outcome> {
  const { database, clock } = context
  const speech = speechIn(context, options)
  const say = sayIn(speech)
  const campaign = await appliedCampaign(context, name)
  const stopped = (await config.readSwitches(database)).some(
    (each) => each.scope === 'campaign' && each.name === campaign && each.state === 'stopped',
  )
  const concerned = await countConcerned(database, campaign)
  // What is stopped already has nothing left to ask about; a stop that was cut short is only completed.
  if (!stopped) await confirmStop(campaign, concerned, options.yes === true, terminal(context), speech)
  const reason = options.reason ?? `stop by ${operator()}`
  const switched = await config.stop(database, { scope: 'campaign', name: campaign }, { reason, clock })
  // Whatever the outcome: a stop that was interrupted before this point is completed by the next.
  const cancelled = await recordStop(database, clock.now(), campaign)
  const done =
    switched.outcome === 'changed'
      ? say(`Stopped campaign ${campaign} for good`, `已永久停止活动 ${campaign}`)
      : say(`Campaign ${campaign} was stopped already`, `活动 ${campaign} 此前已停止`)
  const { people, messages } = concernedWords({ people: concerned.people, messages: cancelled }, speech)
  return {
    data: { ...switched, people: concerned.people, cancelled },
    text: say(
      `${done}; ${people} contacted no more, ${messages} cancelled.`,
      `${done}：${people}不再触达，${messages}已取消。`,
    ),
  }
}

/** A switch for something that does not exist would hold back nothing, and say it did. */
async function assertExists(context: SwitchContext, target: config.SwitchTarget): Promise<void> {
  if (target.scope === 'campaign') await appliedCampaign(context, target.name)
  if (target.scope !== 'channel') return
  const names = channelsSetUp(context.channels)
  if (names.includes(target.name) || (await isUsed(context.database, target.name))) return
  throw new WinbackError('usage.channel', `the workspace has no channel "${target.name}"`, {
    remedy: `There ${names.length === 1 ? 'is' : 'are'} ${names.join(', ')}.`,
  })
}

/** Whether a step that was applied goes by a channel: its block may be one of those that cannot be read. */
async function isUsed(session: Session, channel: string): Promise<boolean> {
  const [found] = await rows<{ used: boolean }>(
    session,
    sql`SELECT EXISTS (SELECT FROM steps WHERE ${channel} = ANY (channels)) AS used`,
  )
  return found?.used === true
}

function wordsOf({ scope, name }: config.SwitchTarget, speech: Speech): string {
  const say = sayIn(speech)
  if (scope === 'workspace') return say('everything', '全部发送')
  return scope === 'campaign'
    ? say(`campaign ${name}`, `活动 ${name}`)
    : say(`channel ${name}`, `渠道 ${name}`)
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

interface Asked {
  readonly reason: string
  readonly speech: Speech
}

/** What is switched, and what is known of the channels. */
interface SwitchContext extends Pick<DatabaseContext, 'database' | 'clock'> {
  readonly channels: ChannelRegistry
}

type Run = (context: SwitchContext, target: config.SwitchTarget, asked: Asked) => Promise<Outcome>

function switchable(
  name: string,
  start: Start,
  run: Run,
  about: Omit<Parameters<typeof describe>[1], 'group'>,
): Command {
  return spoken(describe(name, { group: 'run', ...about }))
    .argument('[campaign]', 'a campaign')
    .option('--channel <name>', 'a channel instead')
    .option('--all', 'the whole workspace instead')
    .option('--reason <text>', 'why, for those who read it later', bounded('--reason', 'line'))
    .action((campaign: string | undefined, options: SwitchOptions, command: Command) => {
      const target = targetOf(campaign, options)
      const reason = options.reason ?? `${name} by ${operator()}`
      return start(command, (invocation) =>
        withReadable(invocation, (context) => {
          const speech = speechOf({ locale: chooseLocale(options.locale), timezone: context.timezone })
          return run(context, target, { reason, speech })
        }),
      )
    })
}

/** Exactly one of a campaign, a channel and everything. @throws WinbackError `usage.target` */
export function targetOf(campaign: string | undefined, options: SwitchOptions): config.SwitchTarget {
  const targets: config.SwitchTarget[] = [
    ...(campaign === undefined ? [] : [{ scope: 'campaign', name: campaign } as const]),
    ...(options.channel === undefined ? [] : [{ scope: 'channel', name: options.channel } as const]),
    ...(options.all ? [{ scope: 'workspace', name: '*' } as const] : []),
  ]
  const [target] = targets
  if (target && targets.length === 1) return target
  throw new WinbackError(
    'usage.target',
    targets.length === 0
      ? 'say what: a campaign, --channel NAME or --all'
      : 'say one of: a campaign, --channel NAME, --all',
  )
}
