import { sql } from 'drizzle-orm'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Database, execute, rows } from '../../../src/database/connect.ts'
import { WinbackError } from '../../../src/errors.ts'
import { cellsOf } from '../../../src/reports/layout.ts'
import { readTimeline, type Timeline } from '../../../src/reports/timeline/timeline.ts'
import { entryText, formatTimeline } from '../../../src/reports/timeline/timeline-text.ts'
import { speechOf } from '../../../src/reports/words.ts'
import { freshDatabase } from '../../support/database.ts'
import { day, type History, writeHistory } from '../../support/episodes.ts'

const LADDER = { coupon: ['remind', 'coupon'], letter: ['letter'] }

let database: Database
let history: History
beforeAll(async () => {
  database = await freshDatabase({ max: 2 })
  history = await writeHistory(database, 'graded', LADDER, { drawing: ['letter'] })
  await tell()
})

async function contact(externalId: string, values: { email?: string; phone?: string; person?: number } = {}) {
  await execute(
    database,
    sql`WITH made AS (
          INSERT INTO contacts (person_id, external_id, email, email_key, phone, phone_key, locale, signed_up_at, imported_at)
          VALUES (${values.person ?? 0}, ${externalId}, ${values.email ?? null}, ${values.email ?? null}::text::bytea,
            ${values.phone ?? null}, ${values.phone ?? null}::text::bytea, 'zh-CN', ${day(-100)}, ${day(-90)})
          RETURNING contact_id, external_id
        )
        INSERT INTO external_ids (external_id, contact_id) SELECT external_id, contact_id FROM made`,
  )
}

/** A contact who is a person of their own; returns its id. */
async function somebody(externalId: string): Promise<number> {
  await contact(externalId)
  const [one] = await rows<{ id: number }>(
    database,
    sql`UPDATE contacts SET person_id = contact_id WHERE external_id = ${externalId} RETURNING contact_id AS id`,
  )
  return one?.id ?? 0
}

/** Li Wei: silent, taken in, reminded, came back and bought; lapsed again and was held out by a tier; then unsubscribed. */
async function tell(): Promise<void> {
  await contact('u-1001', { email: 'liwei@example.com', phone: '+8613800001234' })
  await contact('u-1002', { email: 'other@example.com' })
  await contact('00004')
  await contact('53')
  await execute(
    database,
    sql`UPDATE contacts SET person_id = (SELECT contact_id FROM contacts WHERE external_id = 'u-1001')
        WHERE external_id IN ('u-1001', 'u-1002')`,
  )
  const step = (name: string) => history.stepIds.get(name) ?? 0
  const events: [Date, string, number | null][] = [
    [day(-80), 'session', null],
    [day(-10), 'session', null],
    [day(-10), 'order', 120_000_000],
    [day(3), 'order', 66_000_000],
    [day(90), 'session', null],
  ]
  for (const [at, type, value] of events) {
    await execute(
      database,
      sql`INSERT INTO activity (contact_id, occurred_at, key, type, value, received_at)
          SELECT contact_id, ${at}, hashtext(${type}), ${type}, ${value}::bigint, ${at} FROM contacts WHERE external_id = 'u-1001'`,
    )
  }
  await execute(
    database,
    sql`
    WITH li AS (SELECT contact_id, person_id FROM contacts WHERE external_id = 'u-1001'),
    first AS (
      INSERT INTO episodes (contact_id, episode_id, campaign, version, exclusive, person_id, episode_no, arm, entry_tier,
        segment, lapsed_at, assigned_at, window_ends_at, outcome_until, tier_no, returned_at, silenced_at, silenced_by,
        ended_at, end_reason)
      SELECT contact_id, 1, 'graded', 1, 'graded', person_id, 1, 'treated', 'coupon', 'everyone', ${day(-10)}, ${day(0)},
        ${day(30)}, ${day(32)}, 1, ${day(3)}, ${day(3)}, 'returned', ${day(32)}, 'recalled' FROM li
    ), second AS (
      INSERT INTO episodes (contact_id, episode_id, campaign, version, exclusive, person_id, episode_no, arm, entry_tier,
        segment, lapsed_at, assigned_at, window_ends_at, outcome_until, tier_no)
      SELECT contact_id, 2, 'graded', 1, 'graded', person_id, 2, 'treated', 'coupon', 'everyone', ${day(3)}, ${day(40)},
        ${day(70)}, ${day(72)}, 2 FROM li
    ), staged AS (
      INSERT INTO stages (contact_id, episode_id, tier_no, entered_at, arm, drawn)
      SELECT contact_id, e, t, at, arm, drawn FROM li CROSS JOIN (VALUES
        (1, 1, ${day(0)}::timestamptz, 'treated', false),
        (2, 1, ${day(40)}::timestamptz, 'treated', false),
        (2, 2, ${day(48)}::timestamptz, 'holdout', true)) AS s(e, t, at, arm, drawn)
    ), records AS (
      INSERT INTO touchpoint_records (contact_id, touchpoint_id, episode_id, step_id, state, reason, detail, channel, template,
        provider_id, attempt, cost, planned_for, settled_at)
      SELECT contact_id, t, e, s, state, reason, detail, channel, template, provider, attempt, cost, planned, settled
      FROM li CROSS JOIN (VALUES
        (1, 1, ${step('coupon/remind')}::int, 'sent', NULL, NULL, 'email', 'unfinished-order', 'abc@mx', 2::smallint, 50000::bigint,
          ${day(0)}::timestamptz, ${day(0.1)}::timestamptz),
        (2, 1, ${step('coupon/coupon')}::int, 'cancelled', 'returned', NULL, NULL, NULL, NULL, 0::smallint, 0::bigint,
          ${day(5)}::timestamptz, ${day(3)}::timestamptz),
        (3, 2, ${step('coupon/remind')}::int, 'failed', 'bad_address', '550 5.1.1 <liwei@example.com> unknown', 'email',
          'unfinished-order', NULL, 1::smallint, 0::bigint, ${day(40)}::timestamptz, ${day(40)}::timestamptz)
      ) AS r(t, e, s, state, reason, detail, channel, template, provider, attempt, cost, planned, settled)
    ), waiting AS (
      INSERT INTO touchpoints (contact_id, touchpoint_id, episode_id, step_id, attempt, planned_for, due_at)
      SELECT contact_id, 4, 2, ${step('coupon/coupon')}, 1, ${day(41)}, ${day(50)} FROM li
    ), back AS (
      INSERT INTO recalls (contact_id, episode_id, goal_no, recalled_at, value)
      SELECT contact_id, 1, 0, ${day(3)}, 66000000 FROM li
    )
    INSERT INTO suppressions (kind, key, reason, source, suppressed_at)
    VALUES ('email', 'liwei@example.com'::bytea, 'unsubscribe', 'import', ${day(45)})`,
  )
  await history.answer('audience', 5, day(0))
  await history.answer('audience', 5, day(40))
  await execute(
    database,
    sql`INSERT INTO switches (scope, name, state, reason, since) VALUES
      ('campaign', 'graded', 'paused', 'wrong price', ${day(44)}), ('campaign', 'other', 'paused', 'elsewhere', ${day(44)}),
      ('channel', 'email', 'paused', 'breaker: 6 % hard bounces (6 of 100), more than 5 %', ${day(44)})`,
  )
}

const english = { locale: 'en', currency: 'CNY', timezone: 'Asia/Shanghai', color: false, width: 400 }

async function read(now = day(49)): Promise<Timeline> {
  return await readTimeline(database, { externalId: 'u-1001', now })
}

describe('the timeline of a contact', () => {
  it('names the goal that was reached as its campaign has it, and what reached it', async () => {
    const goals = { bought: { event: 'order' }, looked: { event: 'session' } }
    const asked: string[] = []
    const story = await readTimeline(database, {
      externalId: 'u-1001',
      now: day(100),
      goalsOf: async (campaign, version) => {
        asked.push(`${campaign} ${version}`)
        return goals
      },
    })
    expect(asked).toEqual(['graded 1'])
    const recall = story.entries.find((entry) => entry.kind === 'recalled')
    if (recall?.kind !== 'recalled') throw new Error('a recall')
    expect(recall.goal).toEqual({ name: 'bought', event: 'order' })
    const [en, zh] = ['en', 'zh-CN'].map((locale) => speechOf({ locale, currency: 'CNY' }))
    const second = { ...recall, goalNo: 1, goal: { name: 'looked', event: 'session' }, value: null }
    if (!en || !zh) throw new Error('both languages')
    expect(entryText(recall, en)).toBe('graded: recalled (CN¥66.00), by the event order.')
    expect(entryText(second, en)).toBe('graded: goal looked reached, by the event session.')
    expect(entryText(second, zh)).toBe('graded：达成目标 looked，由事件 session 达成。')
    expect(entryText({ ...second, inWindow: false }, en)).toBe(
      'graded: goal looked reached outside the window, by the event session; it does not count.',
    )
    // Of a version that is not at hand, by number.
    expect(entryText({ ...second, goal: null }, en)).toBe('graded: goal 2 reached.')
  })

  it('tells everything in the order it happened', async () => {
    const timeline = await read()
    expect(timeline.contact).toMatchObject({
      email: 'l***@example.com',
      phone: '138****1234',
      siblings: ['u-1002'],
    })
    expect(timeline.entries.map((entry) => entry.kind)).toEqual([
      'signed_up',
      'imported',
      'activity', // sessions before the first episode
      'activity', // the order
      'runs',
      'opened',
      'stage',
      'settled', // remind, sent
      'activity', // the order that recalls
      'returned',
      'recalled',
      'settled', // coupon, cancelled by the return
      'ended',
      'opened',
      'stage',
      'settled', // remind, failed
      'suppressed',
      'stage',
      'waiting',
      'open',
      'switch',
      'switch',
    ])
    const times = timeline.entries.map((entry) => entry.at.getTime())
    expect(times).toEqual([...times].sort((a, b) => a - b))
  })

  it('is told briefly to who talks with them: no template, price or provider’s answer', async () => {
    const sent = (await read()).entries.filter((entry) => entry.kind === 'settled')
    expect(sent.map((entry) => entryText(entry, speechOf(english), true))).toEqual([
      'graded › coupon › remind: sent (by e-mail).',
      'graded › coupon › coupon: cancelled: came back before it was sent.',
      'graded › coupon › remind: failed: the provider says the address does not exist (by e-mail).',
    ])
  })

  it('does not know what is yet to come', async () => {
    const timeline = await read(day(1))
    expect(timeline.entries.filter((entry) => entry.kind === 'opened')).toHaveLength(1)
    expect(timeline.entries.map((entry) => entry.kind)).not.toContain('recalled')
    expect(timeline.entries.map((entry) => entry.kind)).not.toContain('ended')
  })

  it('is told in words, in the zone asked for', async () => {
    const text = formatTimeline(await read(), english)
    expect(text).toMatchInlineSnapshot(`
      "u-1001 · l***@example.com · 138****1234 · zh-CN
        the same person as u-1002
        times in Asia/Shanghai

      Sep 23, 2025, 08:00  Signed up.
      Oct 3, 2025, 08:00   First imported.
      Oct 13, 2025, 08:00  Activity: 2 × session from here to Dec 22, 2025, 08:00.
      Dec 22, 2025, 08:00  Activity: order, worth CN¥120.00.
      Jan 1, 2026, 08:00   graded: 2 runs from here to Feb 10, 2026, 08:00 looked for whom to take in. The answers are kept as counts; who was taken in has an entry here.
      Jan 1, 2026, 08:00   graded (version 1) took this contact in: silent since Dec 22, 2025, 08:00, tier coupon, segment everyone else. Group: contacted (drawn from the campaign’s salt, person 1 and episode 1). A recall counts until Jan 31, 2026, 08:00.
      Jan 1, 2026, 08:00   graded: entered tier coupon. Planned: remind (E-mail) for Jan 1, 2026, 08:00, coupon (E-mail) for Jan 6, 2026, 08:00.
      Jan 1, 2026, 10:24   graded › coupon › remind: sent (by e-mail, template unfinished-order, attempt 2, CN¥0.05, provider’s id abc@mx).
      Jan 4, 2026, 08:00   Activity: order, worth CN¥66.00.
      Jan 4, 2026, 08:00   Came back: the first return since graded took this contact in. What was still planned is cancelled.
      Jan 4, 2026, 08:00   graded: recalled (CN¥66.00).
      Jan 4, 2026, 08:00   graded › coupon › coupon: cancelled: came back before it was sent.
      Feb 2, 2026, 08:00   graded: ended: recalled.
      Feb 10, 2026, 08:00  graded (version 1) took this contact in: silent since Jan 4, 2026, 08:00, tier coupon, segment everyone else. Group: contacted (drawn from the campaign’s salt, person 1 and episode 2). A recall counts until Mar 12, 2026, 08:00.
      Feb 10, 2026, 08:00  graded: entered tier coupon. Planned: remind (E-mail) for Feb 10, 2026, 08:00, coupon (E-mail) for Feb 11, 2026, 08:00.
      Feb 10, 2026, 08:00  graded › coupon › remind: failed: the provider says the address does not exist (by e-mail, template unfinished-order, “550 5.1.1 <l***@example.com> unknown”).
      Feb 15, 2026, 08:00  E-mail put on the do-not-contact list: unsubscribed (import).
      Feb 18, 2026, 08:00  graded: entered tier letter: held out by the tier’s own draw.
      Feb 19, 2026, 08:00  graded › coupon › coupon: deferred to a later time: waits for another try, due Feb 20, 2026, 08:00, attempts so far: 1.
      Feb 19, 2026, 08:00  graded: still open; the outcome is waited for until Mar 14, 2026, 08:00.
      Feb 19, 2026, 08:00  Now: campaign graded is paused since Feb 14, 2026, 08:00: wrong price.
      Feb 19, 2026, 08:00  Now: channel E-mail is paused since Feb 14, 2026, 08:00: breaker: 6 % hard bounces (6 of 100), more than 5 %.
      "
    `)
  })

  it('calls activity what the workspace counts as such, and nothing else', async () => {
    const { entries } = await readTimeline(database, {
      ...{ externalId: 'u-1001', now: day(1), activity: ['session'] },
    })
    const told = entries.filter((entry) => entry.kind === 'activity')
    expect(told.map((entry) => entryText(entry, speechOf(english)))).toEqual([
      'Activity: 2 × session from here to Dec 22, 2025, 08:00.',
      'Event: order, worth CN¥120.00.',
    ])
  })

  it('says of a number that is nobody’s no word of mail', () => {
    const listed = { kind: 'suppressed', at: day(1), suppressedAt: day(1), reason: 'hard_bounce' } as const
    const [en, zh] = ['en', 'zh-CN'].map((locale) => speechOf({ locale, currency: 'CNY', timezone: 'UTC' }))
    if (!en || !zh) throw new Error('two languages')
    const number = { ...listed, address: 'phone', source: 'call: wrong number' } as const
    expect(entryText(number, en)).toBe(
      'Phone put on the do-not-contact list: nobody’s, or somebody else’s (call: wrong number).',
    )
    expect(entryText(number, zh)).toContain('空号，或号码属于他人')
    const mail = { ...listed, address: 'email', source: 'receipt of email' } as const
    expect(entryText(mail, en)).toContain('mail to it bounced for good')
  })

  it.each([40, 60, 80])('keeps to a terminal of %i columns', async (width) => {
    const told = await read()
    const contact = {
      ...told.contact,
      siblings: Array.from({ length: 9 }, (_, no) => `u-200${no}-of-the-shop`),
    }
    for (const locale of ['en', 'zh-CN']) {
      const lines = formatTimeline({ ...told, contact }, { ...english, locale, width }).split('\n')
      expect(lines.filter((line) => cellsOf(line) > width)).toEqual([])
    }
  })

  it('is told in Chinese', async () => {
    const text = formatTimeline(await read(), { ...english, locale: 'zh-CN' })
    expect(text).toMatchInlineSnapshot(`
      "u-1001 · l***@example.com · 138****1234 · zh-CN
        与 u-1002 是同一个人
        时间按 Asia/Shanghai

      2025年9月23日 08:00   注册。
      2025年10月3日 08:00   首次导入。
      2025年10月13日 08:00  活跃：session 2 次，至 2025年12月22日 08:00。
      2025年12月22日 08:00  活跃：order，金额 ¥120.00。
      2026年1月1日 08:00    graded：从此时到 2026年2月10日 08:00 共运行 2 次，寻找可纳入的人。结果只按人数保存；被纳入者在此另有记录。
      2026年1月1日 08:00    graded（版本 1）纳入此联系人：自 2025年12月22日 08:00 起沉默，阶段 coupon，分群 其他人。分组：触达组（由活动盐值、人 1、第 1 次流失抽取）。召回计至 2026年1月31日 08:00。
      2026年1月1日 08:00    graded：进入阶段 coupon。计划：remind（电子邮件）2026年1月1日 08:00、coupon（电子邮件）2026年1月6日 08:00。
      2026年1月1日 10:24    graded › coupon › remind：已发送（通过电子邮件，模板 unfinished-order，第 2 次尝试，¥0.05，服务商编号 abc@mx）。
      2026年1月4日 08:00    活跃：order，金额 ¥66.00。
      2026年1月4日 08:00    回来了：graded 纳入后的首次回归。尚未发送的消息已取消。
      2026年1月4日 08:00    graded：召回（¥66.00）。
      2026年1月4日 08:00    graded › coupon › coupon：已取消：发送前已自行回来。
      2026年2月2日 08:00    graded：结束：已召回。
      2026年2月10日 08:00   graded（版本 1）纳入此联系人：自 2026年1月4日 08:00 起沉默，阶段 coupon，分群 其他人。分组：触达组（由活动盐值、人 1、第 2 次流失抽取）。召回计至 2026年3月12日 08:00。
      2026年2月10日 08:00   graded：进入阶段 coupon。计划：remind（电子邮件）2026年2月10日 08:00、coupon（电子邮件）2026年2月11日 08:00。
      2026年2月10日 08:00   graded › coupon › remind：失败：服务商称该地址不存在（通过电子邮件，模板 unfinished-order，“550 5.1.1 <l***@example.com> unknown”）。
      2026年2月15日 08:00   邮箱进入禁止联系名单：已退订（import）。
      2026年2月18日 08:00   graded：进入阶段 letter：由本阶段抽为对照。
      2026年2月19日 08:00   graded › coupon › coupon：已推迟：等待重试，定于 2026年2月20日 08:00，已尝试 1 次。
      2026年2月19日 08:00   graded：仍在进行；结果观察至 2026年3月14日 08:00。
      2026年2月19日 08:00   当前：活动 graded 自 2026年2月14日 08:00 起已暂停：wrong price。
      2026年2月19日 08:00   当前：渠道电子邮件自 2026年2月14日 08:00 起已暂停：熔断：硬退率 6%（100 条中 6 条），超过 5%。
      "
    `)
  })

  it('cancels nothing of somebody for whom nothing was planned', async () => {
    const returned = (await read()).entries.find((entry) => entry.kind === 'returned')
    if (returned?.kind !== 'returned') throw new Error('a return')
    const [en, zh] = ['en', 'zh-CN'].map((locale) => speechOf({ locale, currency: 'CNY' }))
    if (!en || !zh) throw new Error('two languages')
    const left = { ...returned, arm: 'holdout' } as const
    expect(entryText(returned, en)).toContain('is cancelled')
    expect(entryText(left, en)).toBe('Came back: the first return since graded took this contact in.')
    expect(entryText(left, zh)).toBe('回来了：graded 纳入后的首次回归。')
  })

  it('shows no address, not even in the provider’s words', async () => {
    const timeline = await read()
    expect(JSON.stringify(timeline)).not.toContain('liwei')
    expect(JSON.stringify(timeline)).not.toContain('13800001234')
    expect(formatTimeline(timeline, english)).not.toContain('liwei')
  })

  it('shows what is masked to an operator who asks', async () => {
    const unmasked = await readTimeline(database, {
      externalId: 'u-1001',
      now: (await read()).now,
      unmasked: true,
    })
    expect(unmasked.contact).toMatchObject({ email: 'liwei@example.com', phone: '+8613800001234' })
  })

  it.each([
    ['u-1O01', 'u-1001'],
    ['U-1002', 'u-1002'],
    ['4', '00004'],
    ['u53', '53'],
    [' u-1001 ', 'u-1001'],
  ])('names the nearest contacts where there is no “%s”', async (wrong, right) => {
    const failure = await readTimeline(database, { externalId: wrong, now: day(1) }).catch(
      (error: unknown) => error,
    )
    if (!(failure instanceof WinbackError)) throw new Error('expected a WinbackError')
    expect(failure.code).toBe('contact.unknown')
    expect(failure.facts.near).toContain(right)
    expect(failure.remedy).toContain(`"${right}"`)
  })

  it('names none where none is near', async () => {
    await expect(readTimeline(database, { externalId: 'zzzzzzzzzzzz', now: day(1) })).rejects.toMatchObject({
      facts: { near: [] },
    })
    // Two letters of two are another id altogether.
    await expect(readTimeline(database, { externalId: 'v7', now: day(1) })).rejects.toMatchObject({
      facts: { near: [] },
    })
  })
})

it('tells of the end before it tells that another campaign took somebody in, at one instant', async () => {
  const id = await somebody('u-2000')
  const persons = [id]
  const spring = await writeHistory(database, 'spring', { greet: ['hello'] })
  await history.assign({ count: 1, arm: 'treated', persons, at: day(0) })
  await execute(
    database,
    sql`UPDATE episodes SET end_reason = 'expired', ended_at = ${day(200)} WHERE contact_id = ${id}`,
  )
  await spring.assign({ count: 1, arm: 'treated', persons, at: day(200), settle: false })
  const { entries } = await readTimeline(database, { externalId: 'u-2000', now: day(201) })
  const then = entries.filter(({ at }) => at.getTime() === day(200).getTime())
  expect(then.map((entry) => ('campaign' in entry ? [entry.kind, entry.campaign] : [entry.kind]))).toEqual([
    ['runs', 'spring'],
    ['ended', 'graded'],
    ['opened', 'spring'],
    ['stage', 'spring'],
  ])
})

// Last: it adds to the runs.
it('tells of the end before it tells that somebody was taken in again, at one instant', async () => {
  const id = await somebody('u-2001')
  const persons = [id]
  await history.assign({ count: 1, arm: 'seed', persons, at: day(0) })
  await execute(
    database,
    sql`UPDATE episodes SET end_reason = 'withdrawn', ended_at = ${day(32)} WHERE contact_id = ${id}`,
  )
  await execute(
    database,
    sql`UPDATE touchpoint_records SET state = 'cancelled', reason = 'superseded', settled_at = ${day(32)}
        WHERE contact_id = ${id}`,
  )
  await history.assign({ count: 1, arm: 'treated', persons, at: day(32), episodeNo: 2, settle: false })
  const { entries } = await readTimeline(database, { externalId: 'u-2001', now: day(33) })
  const then = entries.filter(({ at }) => at.getTime() === day(32).getTime())
  expect(then.map(({ kind }) => kind).filter((kind) => kind !== 'runs')).toEqual([
    ...['settled', 'settled', 'ended', 'opened', 'stage'],
  ])
  const told = then.map((entry) => entryText(entry, speechOf({ locale: 'en' })))
  const why = 'seeds get the messages of a newer version'
  expect(told).toContain(`graded: ended: ${why}.`)
  expect(told.filter((line) => line.includes(`cancelled: ${why}`))).toHaveLength(2)
})
