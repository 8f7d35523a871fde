import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { CREDITOR } from '../../src/config/waits.ts'
import { execute } from '../../src/database/connect.ts'
import { readAbsences } from '../../src/reports/absences.ts'
import { readWaiting } from '../../src/reports/deferral.ts'
import { readReport } from '../../src/reports/overview/overview.ts'
import { formatReport } from '../../src/reports/overview/overview-text.ts'
import { sheetReports } from '../../src/reports/reports.ts'
import { readTimeline } from '../../src/reports/timeline/timeline.ts'
import { formatTimeline } from '../../src/reports/timeline/timeline-text.ts'
import { testChannel } from '../support/channel.ts'
import { DAY, openPipeline, type Pipeline, START } from '../support/pipeline.ts'

const later = (seconds: number) => new Date(START.getTime() + seconds * 1000)
const NOW = later(600)
const DETAIL = 'connect ECONNREFUSED 10.0.0.1:25'
const style = { locale: 'en', currency: 'CNY', color: false, width: 400 }

/** Three wait for a mail server that is away, two of them put back by it; what goes out in the app is not held up. */
async function open(): Promise<Pipeline> {
  const steps = [{ id: 'mail' }, { id: 'note', channels: ['inapp'] }, { id: 'after', after: DAY }]
  const pipeline = await openPipeline({
    tiers: [{ name: 'only', from: 3 * DAY, to: null, steps }],
    others: [testChannel('inapp')],
    definition: { limits: { max_delay: '2d' } },
  })
  for (let n = 0; n < 3; n += 1) await pipeline.addContact({ silentSince: later(-4 * DAY) })
  await pipeline.runNow()
  await execute(
    pipeline.database,
    sql`INSERT INTO absences (channel, since, tries, tried_at, next_at, detail)
      VALUES ('email', ${START}, 4, ${NOW}, ${later(1080)}, ${DETAIL})`,
  )
  await execute(
    pipeline.database,
    sql`UPDATE touchpoints SET waits = 'unreachable', due_at = ${later(660)}
      WHERE contact_id < 3 AND step_id = (SELECT step_id FROM steps WHERE step = 'mail')`,
  )
  pipeline.clock.set(NOW)
  await pipeline.work()
  return pipeline
}

it('an absence is told by every report that is asked how things stand: since when, why, and how much waits', async () => {
  const { database } = await open()
  const [absent, ...others] = await readAbsences(database, NOW, 'test')
  expect(others).toEqual([])
  expect(absent).toEqual({
    ...{ channel: 'email', since: START, detail: DETAIL, nextAt: later(1080) },
    waiting: 3,
    more: false,
  })
  expect(await readAbsences(database, NOW)).toEqual([absent])
  expect(await readAbsences(database, NOW, 'another')).toEqual([])
  expect(await readAbsences(database, NOW, 'test', 2)).toEqual([{ ...absent, waiting: 2, more: true }])
  // As of a moment before it.
  expect(await readAbsences(database, later(-60), 'test')).toEqual([])
  expect(await readWaiting(database, NOW)).toEqual([{ why: 'unreachable', touchpoints: 3, earliest: START }])

  const english = `E-mail cannot be reached since Mar 2, 2026, 01:00 (${DETAIL}). Messages that wait for it, untried: 3; the next try is at Mar 2, 2026, 01:18.`
  const chinese =
    /电子邮件自 2026\S* \S+ 起无法连接（connect ECONNREFUSED 10\.0\.0\.1:25）。等待中且未计入尝试的消息：3 条/
  const question = { campaign: 'test', now: NOW, split: new Map([[1, { holdout: 0, control: 0 }]]) }
  const overview = await readReport(database, { ...question, goals: new Map([[1, 'session']]) })
  expect(formatReport(overview, style)).toContain(english)
  expect(formatReport(overview, { ...style, locale: 'zh-CN' })).toMatch(chinese)
  for (const locale of ['en', 'zh-CN']) {
    const monday = await sheetReports.monday.read(database, question)
    expect(sheetReports.monday.format(monday, { ...style, locale })).toMatch(
      locale === 'en' ? english.slice(0, 60) : chinese,
    )
    const delivery = await sheetReports.delivery.read(database, question)
    expect(sheetReports.delivery.format(delivery, { ...style, locale })).toMatch(
      locale === 'en'
        ? /channel E-mail: cannot be reached\s+Mar 2, 2026, 01:00\s+connect ECONNREFUSED/
        : /渠道 电子邮件：无法连接\s+2026\S* \S+\s+connect ECONNREFUSED/,
    )
    const timeline = await readTimeline(database, { externalId: 'u1', now: NOW })
    expect(formatTimeline(timeline, { ...style, locale })).toMatch(
      locale === 'en'
        ? /channel E-mail cannot be reached since Mar 2, 2026, 01:00: connect ECONNREFUSED 10\.0\.0\.1:25/
        : /渠道电子邮件自 2026\S* \S+ 起无法连接：connect ECONNREFUSED/,
    )
    expect(formatTimeline(timeline, { ...style, locale })).toContain(
      locale === 'en' ? 'whose provider cannot be reached' : '渠道的服务商无法连接，等待恢复',
    )
  }
})

it('the provider that credits offers is told of as channels are, and is none of them', async () => {
  const { database } = await open()
  await execute(database, sql`DELETE FROM absences`)
  await execute(
    database,
    sql`INSERT INTO absences (channel, since, tries, tried_at, next_at, detail)
      VALUES (${CREDITOR}, ${START}, 4, ${NOW}, ${later(1080)}, ${DETAIL})`,
  )
  const question = { campaign: 'test', now: NOW, split: new Map([[1, { holdout: 0, control: 0 }]]) }
  const monday = async (locale: string) =>
    sheetReports.monday.format(await sheetReports.monday.read(database, question), { ...style, locale })
  // Nothing of the campaign waits for it.
  expect(await monday('en')).not.toContain('cannot be reached')
  await execute(database, sql`UPDATE touchpoints SET waits = 'credit' WHERE waits = 'unreachable'`)
  expect(await monday('en')).toContain(
    `The provider that credits offers cannot be reached since Mar 2, 2026, 01:00 (${DETAIL}). Messages that wait for it: 2; each asks it again within 15 minutes.`,
  )
  expect(await monday('zh-CN')).toMatch(
    /发放优惠的服务商自 2026\S* \S+ 起无法连接（.*）。等待它的消息：2 条；/,
  )
  const delivery = await sheetReports.delivery.read(database, question)
  expect(sheetReports.delivery.format(delivery, style)).toMatch(
    /^ *the provider that credits offers: cannot be reached\s+Mar 2, 2026, 01:00\s+connect ECONNREFUSED/m,
  )
  expect(sheetReports.delivery.format(delivery, { ...style, locale: 'zh-CN' })).toMatch(
    /^ *发放优惠的服务商：无法连接\s+2026/m,
  )
})
