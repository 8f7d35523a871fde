import { sql } from 'drizzle-orm'
import { beforeAll, describe, expect, it } from 'vitest'
import { CALL_OUTCOMES, SENTIMENTS } from '../../../src/channels/channel.ts'
import { type Database, execute } from '../../../src/database/connect.ts'
import { REFUSALS } from '../../../src/offers/redemptions.ts'
import { OUTCOME_WORDS, SENTIMENT_WORDS } from '../../../src/reports/call-words.ts'
import { REDEMPTION_REFUSALS } from '../../../src/reports/reasons.ts'
import { readTimeline } from '../../../src/reports/timeline/timeline.ts'
import { entryText } from '../../../src/reports/timeline/timeline-text.ts'
import { speechOf } from '../../../src/reports/words.ts'
import { freshDatabase } from '../../support/database.ts'
import { day, writeHistory } from '../../support/episodes.ts'

// What was promised, called and chosen stands in a contact's story where it happened, in both languages.

let database: Database
beforeAll(async () => {
  database = await freshDatabase({ max: 2 })
  const history = await writeHistory(database, 'graded', { coupon: ['coupon', 'call'] })
  const step = (name: string) => history.stepIds.get(name) ?? 0
  await execute(
    database,
    sql`WITH made AS (INSERT INTO contacts (person_id, external_id, phone, phone_key, imported_at)
          VALUES (1, 'u1', '+8613800001234', 'x'::bytea, ${day(-1)}) RETURNING contact_id, external_id)
        INSERT INTO external_ids (external_id, contact_id) SELECT external_id, contact_id FROM made`,
  )
  const me = sql`(SELECT contact_id FROM contacts)`
  await execute(
    database,
    sql`INSERT INTO grants (contact_id, episode_id, campaign, offer, kind, step_id, touchpoint_id, state, code, face, expected,
          reserved_at, granted_at, expires_at, redeemed_at, redeemed_value, redemption_key) VALUES
        (${me}, 1, 'graded', 'five', 'coupon', ${step('coupon/coupon')}, 1, 'redeemed', 'AAAA-BBBB-CCCC-DDDD', 5, 1,
          ${day(1)}, ${day(1)}, ${day(8)}, ${day(2)}, 30000000, 'o1'),
        (${me}, 2, 'graded', 'five', 'coupon', ${step('coupon/coupon')}, 2, 'granted', NULL, 5, 1,
          ${day(3)}, ${day(3)}, ${day(5)}, NULL, NULL, NULL),
        (${me}, 3, 'graded', 'five', 'coupon', ${step('coupon/coupon')}, 3, 'reserved', 'SHORT', 5, 1,
          ${day(11)}, NULL, ${day(15)}, NULL, NULL, NULL)`,
  )
  await execute(
    database,
    sql`INSERT INTO released_grants VALUES (${me}, 9, 'graded', 'five', ${step('coupon/coupon')}, ${day(2.6)}, ${day(2.7)}),
      (${me}, 10, 'graded', 'five', ${step('coupon/coupon')}, ${day(2.8)}, ${day(2.9)})`,
  )
  await execute(
    database,
    sql`INSERT INTO touchpoint_records (contact_id, touchpoint_id, episode_id, step_id, state, reason, channel, attempt,
          planned_for, settled_at)
        VALUES (${me}, 9, 1, ${step('coupon/coupon')}, 'failed', 'refused', 'email', 2, ${day(2)}, ${day(2.9)})`,
  )
  await execute(
    database,
    sql`INSERT INTO refused_redemptions (contact_id, redemption_key, code, reason, campaign, offer, redeemed_at, recorded_at)
        VALUES (${me}, 'k', 'AAAA-BBBB-CCCC-DDDD', 'already_redeemed', 'graded', 'five', ${day(4)}, ${day(4)}),
          (${me}, 'l', 'GUESS', 'unknown_code', NULL, NULL, ${day(4.5)}, ${day(4.5)})`,
  )
  await execute(
    database,
    sql`INSERT INTO calls (contact_id, call_id, touchpoint_id, episode_id, step_id, campaign, kind, script, taker, owner,
          priority, state, opened_at, due_at, next_attempt_at, attempts, closed_at, closed_by) VALUES
        (${me}, 1, 4, 1, ${step('coupon/call')}, 'graded', 'recall', 's', 'agent', 'mei', 0, 'done', ${day(6)}, ${day(7)},
          ${day(6)}, 2, ${day(6.5)}, 'promised'),
        (${me}, 2, 5, 2, ${step('coupon/call')}, 'graded', 'recall', 's', 'robot', NULL, 0, 'closed', ${day(9)}, ${day(10)},
          ${day(9)}, 0, ${day(9.5)}, 'returned')`,
  )
  await execute(
    database,
    sql`INSERT INTO call_attempts (contact_id, call_id, attempt_no, event_id, made_at, made_by, outcome, reason, seconds,
          sentiment, notes, next_attempt_at) VALUES
        (${me}, 1, 1, 'a', ${day(6.1)}, 'mei', 'no_answer', NULL, 0, NULL, NULL, ${day(6.5)}),
        (${me}, 1, 2, 'b', ${day(6.5)}, 'mei', 'promised', 'price', 270, 'positive', 'write to li@example.com', NULL)`,
  )
  await execute(
    database,
    sql`INSERT INTO reasons_given (contact_id, source, reason, said_at, note, recorded_by) VALUES
        (${me}, 'call', 'price', ${day(6.5)}, NULL, 'mei'),
        (${me}, 'opt_out', 'too_many_messages', ${day(12)}, 'enough', 'page')`,
  )
  await execute(
    database,
    sql`INSERT INTO preferences (contact_id, chosen_at, channels_off, topics_off, at_most, within_days, paused_until, source)
        VALUES (${me}, ${day(12)}, '{sms}', '{news}', 2, 7, ${day(20)}, 'preferences page')`,
  )
  await execute(
    database,
    sql`INSERT INTO consents (contact_id, channel, decision, decided_at, source, recorded_at)
        VALUES (${me}, 'sms', 'given', ${day(0)}, 'checkout', ${day(0)})`,
  )
  await execute(
    database,
    sql`INSERT INTO inapp_messages (contact_id, touchpoint_id, episode_id, step_id, locale, title, text, html, created_at,
          shown_at) VALUES (${me}, 9, 1, ${step('coupon/coupon')}, 'en', 'Welcome back', 't', 'h', ${day(2)}, ${day(2.5)})`,
  )
})

async function told(
  locale: string,
  now = day(13),
  channels: ReadonlyMap<string, string> = new Map(),
): Promise<string[]> {
  const { entries } = await readTimeline(database, { externalId: 'u1', now })
  const speech = speechOf({ locale, currency: 'CNY', timezone: 'UTC', channels })
  return entries.filter(({ kind }) => kind !== 'imported').map((entry) => entryText(entry, speech))
}

describe('the story of a contact', () => {
  it('calls a channel by the title it was given, also where somebody agreed to it', async () => {
    expect(await told('en', day(13), new Map([['sms', 'Texts']]))).toContain(
      'Agreed to hear by Texts (checkout).',
    )
    expect(await told('zh-CN')).toContain('同意接收短信（checkout）。')
  })

  it('has promises, calls and wishes where they happened; codes masked, what was said in a call said once', async () => {
    expect(await told('en')).toEqual([
      'Agreed to hear by text message (checkout).',
      'graded: offer five granted, code ****-DDDD, good until Jan 9, 2026, 00:00.',
      'graded: offer five redeemed, code ****-DDDD, with an order of CN¥30.00.',
      'coupon: “Welcome back” was shown in the app.',
      'graded: offer five, reserved Jan 3, 2026, 14:24, given back: coupon did not go out with it, and may be tried again.',
      'graded › coupon › coupon: failed: the provider refused it for good (by e-mail, attempt 2).',
      'graded: offer five, reserved Jan 3, 2026, 19:12, given back: coupon failed: the provider refused it for good.',
      'graded: offer five granted, good until Jan 6, 2026, 00:00.',
      'Tried to redeem the code ****-DDDD of graded’s five: refused, it was redeemed before.',
      'Tried to redeem the code ****: refused, nobody was given this code.',
      'graded: offer five expired unused.',
      'graded: a call is to be made (to win back) by mei, before Jan 8, 2026, 00:00.',
      'graded: called, attempt 1: No answer (by mei, again at Jan 7, 2026, 12:00).',
      'graded: called, attempt 2: Will come back (by mei, 4.5 min, friendly, why away: Too expensive, “write to l***@example.com”).',
      'graded: a call is to be made (to win back) by the robot, before Jan 11, 2026, 00:00.',
      'graded: call closed: they came back by themselves.',
      'graded: offer five reserved while its message is under way, code ****.',
      'Chose: nothing by text message; nothing about news; at most 2 in 7 days; nothing before Jan 21, 2026, 00:00 (preferences page).',
      'Said why when opting out: Too many messages (“enough”).',
    ])
  })

  it('is told in Chinese, too', async () => {
    const lines = await told('zh-CN')
    expect(lines).toHaveLength(19)
    for (const line of lines) expect(line).toMatch(/[\u4e00-\u9fff].*。$/)
    expect(lines).toContain('graded：优惠 five 已核销，券码 ****-DDDD，订单金额 ¥30.00。')
    expect(lines).toContain(
      'graded：第 2 次外呼：答应回来（由 mei，4.5 分钟，友好，离开原因：价格太高，“write to l***@example.com”）。',
    )
  })

  it('does not know what is yet to come, and shows codes to those who ask', async () => {
    expect(await told('en', day(1.5))).toHaveLength(2)
    const { entries } = await readTimeline(database, { externalId: 'u1', now: day(13), unmasked: true })
    expect(entries).toContainEqual(
      expect.objectContaining({ kind: 'grant', became: 'redeemed', code: 'AAAA-BBBB-CCCC-DDDD' }),
    )
    expect(entries).toContainEqual(
      expect.objectContaining({ kind: 'attempt', seconds: 270, outcome: 'promised' }),
    )
  })
})

it('has words for all that is recorded', () => {
  expect(Object.keys(REDEMPTION_REFUSALS)).toEqual(Object.keys(REFUSALS))
  expect(Object.keys(OUTCOME_WORDS)).toEqual([...CALL_OUTCOMES])
  expect(Object.keys(SENTIMENT_WORDS)).toEqual([...SENTIMENTS])
})
