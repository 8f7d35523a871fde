import { sql } from 'drizzle-orm'
import fc from 'fast-check'
import { expect } from 'vitest'
import { rows } from '../../src/database/connect.ts'
import { DAY, HOUR } from './campaign.ts'
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
  forget,
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
  if (model.paused.has('campaign')) await turn('campaign').run(model, real)
  if (model.paused.has('email')) await turn('email').run(model, real)
  await sweepNow.run(model, real)
  for (const pause of [HOUR, DAY, 3 * DAY]) {
    await work().run(model, real)
    await advance(pause).run(model, real)
  }
  // As often as the provider's rate lets some go on; all are too late by now.
  do await work().run(model, real)
  while (due(model).length > 0)
  await sweepNow.run(model, real)
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
    sql`SELECT channel, counted.sent AS counted, recorded.sent AS recorded
      FROM (SELECT channel, sum(sent) AS sent FROM send_counts GROUP BY channel) counted
      FULL JOIN (SELECT channel, count(*) AS sent FROM touchpoint_records
        WHERE state IN ('sent', 'uncertain') AND channel IS NOT NULL GROUP BY channel) recorded USING (channel)
      WHERE coalesce(counted.sent, 0) <> coalesce(recorded.sent, 0)`,
  )
  expect(differing).toEqual([])
}

/** The first version and some people. */
export const beginning: readonly Command[] = [
  applyNext,
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
]

/** Takes them in: every story has messages to be sent from its beginning. */
export const firstRun: Command = runNow(1)

/** More than there is for: a stock of two, and a day's money for three letters. */
export const crowd: readonly Command[] = [
  signUp(Array.from({ length: 32 }, (_, no) => ({ days: no % 2 ? 9 : 20, email: 0, named: true }))),
  advance(DAY),
  runNow(1),
  // What waits for another day gives back its place in the provider's rate to the next ones.
  ...often(3, work()),
  advance(DAY),
  work(),
]

const entering = (number: number): Command[] => [
  signUp(Array.from({ length: number }, () => ({ days: 4, email: 0, named: true }))),
  runNow(1),
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
const running = fc.constantFrom(1, 1, 2).map(runNow)
const working = fc
  .record({ mode, shop, times: fc.constantFrom(1, 1, 2), dispatchers: fc.constantFrom(1, 1, 2) })
  .map(work)
const dying = fc.tuple(fc.constantFrom(0, 2, 4), fc.boolean()).map(([marked, handed]) => die(marked, handed))

const rollingBack = fc.option(fc.nat({ max: 5 })).map(rollBack)
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
  fc.constantFrom<'campaign' | 'email'>('campaign', 'email').map(turn),
  ...often(4, running),
  fc.constant(applyNext),
  rollingBack,
  choosing,
  who.map(forget),
  ...often(3, working),
  fc.constant(loseQueue),
  dying,
  fc.constant(sweepNow),
  ...often(2, shop.map(hang)),
  shop.map(hangInShop),
  who.map(wakeUp),
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
  ...often(2, running),
  fc.constant(applyNext),
  ...often(4, working),
  dying,
  ...often(2, fc.constant(sweepNow)),
  shop.map(hang),
  ...often(3, shop.map(hangInShop)),
  ...often(2, who.map(wakeUp)),
  who.map(returnMeanwhile),
]

/** Stories of either kind. */
export const stories = fc.oneof(
  ...[anything, givingAndTaking].map((commands) =>
    fc.noBias(fc.commands(commands, { maxCommands: 45, size: 'max' })),
  ),
)
