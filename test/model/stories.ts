import { sql } from 'drizzle-orm'
import fc from 'fast-check'
import { expect } from 'vitest'
import { rows } from '../../src/database/connect.ts'
import { type CampaignName, DAY, GRACE, HOUR, isOdd } from './campaign.ts'
import { CAMPAIGNS, NAMES } from './campaigns.ts'
import type { Command } from './command.ts'
import type { ShopMode } from './crediting.ts'
import { die, hang, hangInShop, loseQueue, sweepNow, wakeOne, wakeUp } from './fault-commands.ts'
import { due } from './judging.ts'
import { isOpen, type Mode, type Model } from './model.ts'
import { returnMeanwhile } from './race-commands.ts'
import type { Real } from './real.ts'
import { work } from './work-commands.ts'
import {
  advance,
  applyNext,
  choose,
  comeBack,
  doSomething,
  endForGood,
  forget,
  idle,
  moveIn,
  rollBack,
  runNow,
  sameAgain,
  signUp,
  turn,
  turnOutSame,
  unsubscribe,
} from './world-commands.ts'

// How stories begin, what may happen in them, and how they end.

const often = <T>(times: number, arbitrary: T): T[] => Array.from({ length: times }, () => arbitrary)

/** Everything is let go on, until nothing is left: every touchpoint ends. */
export async function drain(model: Model, real: Real): Promise<void> {
  for (const worker of [...model.hanging]) await wakeOne(model, real, worker)
  for (const name of NAMES) if (model.courses[name].state === 'paused') await turn(name).run(model, real)
  if (model.mailPaused) await turn('email').run(model, real)
  await sweepNow.run(model, real)
  for (const pause of [HOUR, DAY, 3 * DAY]) {
    await work().run(model, real)
    await advance(pause).run(model, real)
  }
  // As often as the provider's rate lets some go on; all are too late by now.
  do await work().run(model, real)
  while (due(model).length > 0)
  await sweepNow.run(model, real)
  // What came back after its campaign was stopped ends with its episode.
  if (NAMES.some((name) => model.courses[name].state === 'stopped')) {
    await advance(Math.max(...NAMES.map((name) => CAMPAIGNS[name].window)) + GRACE).run(model, real)
    await idle.run(model, real)
  }
  expect(model.episodes.flatMap((episode) => episode.touches).filter(isOpen)).toEqual([])
  await checkCounts(real)
  // Nothing is under way, and nothing is held for it.
  expect([...model.holds, ...model.taken]).toEqual([])
  expect(
    model.episodes.flatMap((episode) => episode.grants).filter(({ state }) => state === 'reserved'),
  ).toEqual([])
}

/** What breakers count is what went out, or may have: by workers that lived, hung or died, each message once. */
async function checkCounts({ shop }: Real): Promise<void> {
  const differing = await rows(
    shop.database,
    sql`SELECT campaign, channel, counted.sent AS counted, recorded.sent AS recorded
      FROM (SELECT campaign, channel, sum(sent) AS sent FROM send_counts GROUP BY campaign, channel) counted
      FULL JOIN (SELECT campaign, channel, count(*) AS sent FROM touchpoint_records JOIN steps USING (step_id)
        WHERE state IN ('sent', 'uncertain') AND channel IS NOT NULL GROUP BY campaign, channel) recorded
        USING (campaign, channel)
      WHERE coalesce(counted.sent, 0) <> coalesce(recorded.sent, 0)`,
  )
  expect(differing).toEqual([])
}

/**
 * The first versions and some people, who are taken in: every story has messages to be sent from its beginning.
 * @param text which one of the second campaign comes first
 */
export const beginning = (text: number): readonly Command[] => [
  applyNext('game'),
  applyNext('encore', text),
  signUp([
    { days: 4, email: 0, named: true },
    { days: 4, email: 0, named: false },
    { days: 5, email: 1, named: true },
    { days: 6, email: 0, named: true },
    { days: 9, email: null, named: true },
    { days: 20, email: 0, named: true },
  ]),
  // The same persons as some of these, in another chunk.
  signUp(
    [
      { days: 6, email: 1, named: true },
      { days: 16, email: 2, named: true },
    ],
    true,
  ),
  runNow('game', 1),
  // Where they share no group, many are in both.
  ...(isOdd(text) ? [] : [runNow('encore', 1)]),
]

/** More than there is for: a stock of two, and a day's money for three letters. */
export const crowd: readonly Command[] = [
  signUp(Array.from({ length: 32 }, (_, no) => ({ days: no % 2 ? 9 : 20, email: 0, named: true }))),
  advance(DAY),
  runNow('game', 1),
  // What waits for another day gives back its place in the provider's rate to the next ones.
  ...often(3, work()),
  advance(DAY),
  work(),
]

const entering = (number: number): Command[] => [
  signUp(Array.from({ length: number }, () => ({ days: 4, email: 0, named: true }))),
  runNow('game', 1),
]

/** The mail server says of some addresses that they do not exist, a day later again, and takes others' mail in between. */
export const refusals: readonly Command[] = [
  ...entering(8),
  ...often(2, work({ mode: 'rejected' })),
  advance(4 * HOUR),
  ...entering(5),
  work(),
  advance(DAY - 4 * HOUR),
  ...often(4, [work({ mode: 'rejected' }), advance(HOUR)]).flat(),
]

/**
 * Two campaigns of one group. Whom the second has beside the first turns out to be one of the first's; and whoever the first
 * has, the second takes in as soon as their time is over, whenever the first runs again.
 */
export const turns: readonly Command[] = [
  signUp([{ days: 6, email: 0, named: true }]),
  runNow('encore', 1),
  // The newcomer, the ninth, and the second of all.
  moveIn(8, 1),
  work(),
  advance(CAMPAIGNS.game.window + GRACE),
  signUp([
    { days: 6, email: 1, named: true },
    { days: 8, email: 0, named: true },
  ]),
  runNow('encore', 1),
  runNow('game', 1),
  work(),
  advance(CAMPAIGNS.encore.window + GRACE),
  runNow('game', 1),
  work(),
]

const who = fc.nat({ max: 30 })
const mode = fc.constantFrom<Mode>('sent', 'sent', 'sent', 'retry', 'rejected', 'uncertain', 'away')
const shop = fc.constantFrom<ShopMode>('credits', 'credits', 'refuses', 'lost', 'down', 'closed')

const hours = (...some: number[]) => fc.constantFrom(...some).map((each) => advance(each * HOUR))
const people = fc.array(
  fc.record({
    days: fc.constantFrom(1, 4, 4, 6, 8, 20),
    email: fc.constantFrom(null, 0, 0, 0, 0, 1, 2, 3),
    named: fc.boolean(),
  }),
  { minLength: 3, maxLength: 8 },
)
const signingUp = fc
  .tuple(people, fc.constantFrom(false, false, true))
  .map(([them, elsewhere]) => signUp(them, elsewhere))
const movingIn = fc.tuple(who, fc.option(who, { freq: 4 })).map(([from, to]) => moveIn(from, to))
const comingBack = fc.tuple(who, fc.constantFrom(0, 0, 2)).map(([one, ago]) => comeBack(one, ago))
const campaign = fc.constantFrom<CampaignName>('game', 'game', 'encore')
const either = fc.constantFrom(...NAMES)
const by = fc.constantFrom(1, 1, 2)
const running = fc.tuple(campaign, by).map(([name, schedulers]) => runNow(name, schedulers))
const working = fc
  .record({ mode, shop, times: fc.constantFrom(1, 1, 2), dispatchers: fc.constantFrom(1, 1, 2) })
  .map(work)
const waking = fc
  .tuple(who, fc.constantFrom<'sent' | 'uncertain'>('sent', 'sent', 'uncertain'))
  .map(([which, mode]) => wakeUp(which, mode))
const dying = fc.tuple(fc.constantFrom(0, 2, 4), fc.boolean()).map(([marked, handed]) => die(marked, handed))

const applying = campaign.map((name) => applyNext(name))
const rollingBack = fc.tuple(campaign, fc.option(fc.nat({ max: 5 }))).map(([name, to]) => rollBack(name, to))
const choosing = fc
  .tuple(
    who,
    fc.constantFrom<readonly string[]>(['email'], ['email'], ['*'], ['log'], []),
    fc.constantFrom(0, 0, 30),
  )
  .map(([one, off, pause]) => choose(one, off, pause))

/** Everything that may happen; what moves the story on, more often. */
const anything: fc.Arbitrary<Command>[] = [
  ...often(3, hours(1, 1, 6, 12, 24, 24, 48, 96, 240)),
  signingUp,
  movingIn,
  fc
    .tuple(
      who,
      fc.constantFrom(0, 1, 20, 60, 400),
      fc.constantFrom<'session' | 'order'>('session', 'session', 'order'),
    )
    .map(([one, ago, type]) => doSomething(one, ago, type)),
  comingBack,
  who.map(sameAgain),
  who.map(unsubscribe),
  fc.constantFrom<CampaignName | 'email'>('game', 'encore', 'email', 'email').map(turn),
  ...often(5, running),
  applying,
  rollingBack,
  choosing,
  who.map(forget),
  ...often(3, working),
  fc.constant(loseQueue),
  dying,
  fc.constant(sweepNow),
  ...often(2, shop.map(hang)),
  shop.map(hangInShop),
  waking,
  who.map(returnMeanwhile),
]

/** People come, and come back; what they are given goes through every fault. */
const givingAndTaking: fc.Arbitrary<Command>[] = [
  ...often(5, hours(1, 1, 1, 2, 6, 24)),
  signingUp,
  fc.tuple(who, who).map(([one, other]) => turnOutSame(one, other)),
  choosing,
  who.map(forget),
  ...often(4, comingBack),
  // What is given is the first campaign's.
  ...often(
    2,
    by.map((schedulers) => runNow('game', schedulers)),
  ),
  applying,
  ...often(4, working),
  dying,
  ...often(2, fc.constant(sweepNow)),
  shop.map(hang),
  ...often(3, shop.map(hangInShop)),
  ...often(2, waking),
  who.map(returnMeanwhile),
]

/** Two campaigns at their work, for people who come, come back and turn out to be one. */
const sideBySide: fc.Arbitrary<Command>[] = [
  ...often(4, hours(1, 12, 24, 24, 48, 240, 480)),
  signingUp,
  ...often(2, movingIn),
  ...often(2, comingBack),
  ...often(
    5,
    fc.tuple(either, by).map(([name, schedulers]) => runNow(name, schedulers)),
  ),
  either.map((name) => applyNext(name)),
  either.map(turn),
  fc.constantFrom<CampaignName>('game', 'encore', 'encore').map(endForGood),
  fc.constant(idle),
  choosing,
  who.map(forget),
  ...often(6, working),
]

const told = (commands: fc.Arbitrary<Command>[]) =>
  fc.noBias(fc.commands(commands, { maxCommands: 45, size: 'max' }))

/** Stories of any kind. */
export const stories = fc.oneof(
  { weight: 2, arbitrary: told(anything) },
  { weight: 2, arbitrary: told(givingAndTaking) },
  { weight: 1, arbitrary: told(sideBySide) },
)
