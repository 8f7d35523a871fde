import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { drawVariant } from '../../src/audience/stages.ts'
import { type ManualClock, manualClock } from '../../src/clock.ts'
import { type Database, execute, rows } from '../../src/database/connect.ts'
import { readLift } from '../../src/reports/lift/lift.ts'
import { readTimeline } from '../../src/reports/timeline/timeline.ts'
import { formatTimeline } from '../../src/reports/timeline/timeline-text.ts'
import { prepareRehearsal, revealActivity } from '../../src/service/rehearsal.ts'
import { replay } from '../../src/service/replay.ts'
import { questionOf, refreshReports } from '../../src/service/reporting.ts'
import { processBatch } from '../../src/touchpoints/batch.ts'
import { dispatchDue } from '../../src/touchpoints/dispatch.ts'
import { testChannel } from '../support/channel.ts'
import { freshDatabase } from '../support/database.ts'
import { seeded } from '../support/draws.ts'
import { openShop, type Shop, TEMPLATES } from '../support/shop.ts'

// Two letters of which one is better, from the file to the verdict: real templates, real imports, a planted truth.

const START = new Date('2026-03-10T09:00:00Z')
const TRUTH = { plain: 0.1, story: 0.22, nobody: 0.06 }
const PEOPLE = 1200

const CAMPAIGN = (shares: string) => `
version: 1
campaign: letters
title: Two letters
schedule: "0 9 * * *"
timezone: UTC
goals: { recall: { event: session } }
window: 30d
holdout: 15%
tiers:
  - name: only
    inactive: 3d..
    steps:
      - { id: letter, channel: email, template: hello, after: 1d, variants: ${shares} }
`
const EVEN = '{ plain: 50%, story: 50% }'

let database: Database
let clock: ManualClock
let shop: Shop
const email = testChannel('email')
const hours = (n: number) => new Date(START.getTime() + n * 3_600_000)

beforeAll(async () => {
  database = await freshDatabase()
  clock = manualClock(START)
  shop = await openShop({
    database,
    clock,
    channels: [email],
    templates: {
      ...TEMPLATES,
      'hello-story.en.hbs': '---\nsubject: A story\n---\n<p>Once upon a time</p>\n',
    },
  })
  const people = Array.from({ length: PEOPLE }, (_, n) => `c${n}`)
  await shop.importContacts(people.map((id) => ({ external_id: id, email: `${id}@people.test` })))
  await shop.importActivity(
    people.map((id) => ({ external_id: id, type: 'session', occurred_at: hours(-24 * 5).toISOString() })),
  )
})
afterAll(() => shop.runtime.close())

async function work() {
  await dispatchDue(database, { now: clock.now(), jobs: 100_000 }, async (batch) => {
    await processBatch(shop.runtime.worker, batch)
  })
}

it('says of two letters which brings back more, as it was planted, and every part of the way tells the same', async () => {
  await shop.apply(CAMPAIGN(EVEN))
  // An installation draws by a salt of its own, and one in twenty would draw an interval that misses the truth.
  await execute(database, sql`UPDATE campaigns SET salt = 'two letters' WHERE campaign = 'letters'`)
  await shop.run('letters')
  // A new version with other shares: whoever is under way keeps what they drew.
  await shop.apply(CAMPAIGN('{ plain: 10%, story: 90% }'))
  clock.set(hours(24))
  await work()

  const people = await rows<{
    id: string
    contactId: number
    personId: number
    arm: string
    variant: string | null
    version: number
  }>(
    database,
    sql`
    SELECT c.external_id AS id, contact_id AS "contactId", e.person_id AS "personId", e.arm, r.variant, e.version
    FROM episodes e JOIN contacts c USING (contact_id) LEFT JOIN touchpoint_records r USING (contact_id, episode_id)
    ORDER BY contact_id`,
  )
  const first = await shop.runtime.book.campaign('letters', 1)
  const step = first.tiers[0]?.steps[0]
  if (!step) throw new Error('a step')
  const said = new Map(email.sent.map(({ contactId, content }) => [contactId, content]))
  for (const { contactId, personId, arm, variant, version } of people) {
    expect(version).toBe(1)
    expect(variant).toBe(arm === 'treated' ? drawVariant(first.salt, step, personId, 1) : null)
    const text = variant === null ? undefined : variant === 'story' ? 'Once upon a time' : 'Hello again'
    if (text === undefined) expect(said.has(contactId)).toBe(false)
    else expect(said.get(contactId)).toContain(text)
  }

  const now = hours(24 * 34)
  clock.set(now)
  const random = seeded('letters')
  const back = people.filter(({ variant }) => random() < TRUTH[(variant ?? 'nobody') as keyof typeof TRUTH])
  await shop.importActivity(
    back.map(({ id }) => ({ external_id: id, type: 'session', occurred_at: hours(48).toISOString() })),
  )
  await refreshReports(shop.runtime)
  const data = await readLift(database, await questionOf(shop.runtime, 'letters', { now }))
  const [letter, ...others] = data.variants
  expect(others).toEqual([])
  expect(letter).toMatchObject({ tier: 'only', step: 'letter', versions: [1], split: { alarm: false } })
  for (const { name, assigned, sent, matured, recalled } of letter?.variants ?? []) {
    const own = people.filter(({ variant }) => variant === name).length
    expect({ assigned, sent, matured }).toEqual({ assigned: own, sent: own, matured: own })
    expect(recalled).toBe(back.filter(({ variant }) => variant === name).length)
  }
  expect(letter?.comparisons).toMatchObject([{ variant: 'story', verdict: 'better' }])
  const difference = letter?.comparisons[0]?.difference
  if (difference?.kind !== 'estimate') throw new Error('an estimate')
  expect(difference.low).toBeLessThan(TRUTH.story - TRUTH.plain)
  expect(difference.high).toBeGreaterThan(TRUTH.story - TRUTH.plain)
  // The campaign's own figure has both in it, and the held out neither.
  expect(data.overall.treated.matured).toBe(people.filter(({ variant }) => variant !== null).length)

  const one = people.find(({ variant }) => variant === 'story')
  const timeline = await readTimeline(database, { externalId: one?.id ?? '', now })
  const told = (locale: string) =>
    formatTimeline(timeline, { locale, currency: 'CNY', color: false, width: 200 })
  expect(told('en')).toContain('only › letter, variant story: sent')
  expect(told('zh-CN')).toContain('only › letter，方案 story')
})

it('rehearses with the variants that were drawn in truth', async () => {
  const truth = await rows<{ contactId: number; variant: string }>(
    database,
    sql`SELECT contact_id AS "contactId", variant FROM touchpoint_records WHERE variant IS NOT NULL ORDER BY 1`,
  )
  const rehearsal = await prepareRehearsal(database, 'variants_replay', hours(24), ['letters'])
  try {
    const past = manualClock(hours(-1))
    const { workspace } = shop
    const files = { ...TEMPLATES, 'hello-story.en.hbs': '---\nsubject: A story\n---\n<p>Once</p>\n' }
    const rehearsed = await openShop({
      ...{ database: rehearsal, clock: past, channels: [testChannel('email')], templates: files },
    })
    await rehearsed.apply(CAMPAIGN(EVEN))
    const runtime = { ...rehearsed.runtime, clock: past }
    await replay(runtime, {
      from: past.now(),
      to: hours(25),
      step: 3600,
      reveal: async (_after, upTo) => {
        await revealActivity(runtime, workspace, upTo)
      },
    })
    const found = await rows(
      rehearsal,
      sql`SELECT contact_id AS "contactId", variant FROM touchpoint_records WHERE variant IS NOT NULL ORDER BY 1`,
    )
    expect(truth.length).toBeGreaterThan(900)
    expect(found).toEqual(truth)
  } finally {
    await rehearsal.close()
  }
})
