import { sql } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import type { Reply } from '../../src/channels/channel.ts'
import { smsSettings } from '../../src/channels/sms/settings.ts'
import { openSms } from '../../src/channels/sms/sms.ts'
import { signTwilio } from '../../src/channels/sms/twilio-receipts.ts'
import { manualClock } from '../../src/clock.ts'
import { rows } from '../../src/database/connect.ts'
import { readLeaving } from '../../src/reports/leaving.ts'
import { takeReceipts } from '../../src/service/receipts.ts'
import { emptiedDatabase } from '../support/emptied.ts'
import { openShop, WORKSPACE } from '../support/shop.ts'

const SECRET = 'a-token-of-16-or-more'
const ALIYUN = {
  provider: 'aliyun',
  access_key_id: 'k',
  access_key_secret: SECRET,
  sign_name: 'x',
  templates: {},
  callback_token: SECRET,
  price: '0',
}
const TWILIO = {
  provider: 'twilio',
  account_sid: 'AC',
  auth_token: SECRET,
  from: '+1',
  country: '49',
  price: '0',
}

async function openDoor(settings: typeof ALIYUN | typeof TWILIO, phones: readonly string[]) {
  const confirmed: string[] = []
  const confirm = async ({ from }: Reply) => {
    confirmed.push(from)
    return { outcome: 'sent' } as const
  }
  // Secrets stand in no file.
  const block = JSON.stringify(settings).replaceAll(SECRET, `\${SECRET:-${SECRET}}`)
  const shop = await openShop({
    database: await emptiedDatabase(),
    clock: manualClock(new Date('2026-03-10T09:00:00Z')),
    channels: [{ ...openSms(smsSettings.parse(settings)), confirm }],
    workspace: `${WORKSPACE.trimEnd()}\n  sms: ${block}\n`,
  })
  await shop.importContacts(
    phones.map((phone, no) => ({ external_id: `u${no}`, phone, signed_up_at: '2026-01-01T00:00:00Z' })),
  )
  const state = async () => ({
    silenced: (
      await rows(shop.database, sql`SELECT FROM contacts c JOIN suppressions s ON s.key = c.phone_key`)
    ).length,
    replies: (await rows(shop.database, sql`SELECT FROM replies`)).length,
    confirmed: confirmed.length,
  })
  const aliyun = async (from: string, content: string) => {
    const reply = { phone_number: from, send_time: '2026-03-10 17:00:00', content, sequence_id: content }
    const body = Buffer.from(JSON.stringify([reply]))
    const url = `https://w.test/v1/receipts/sms/aliyun?token=${SECRET}`
    return await takeReceipts(shop.runtime, 'sms', { url, provider: 'aliyun', headers: {}, body })
  }
  const twilio = async (from: string, text = 'STOP') => {
    const form = new URLSearchParams({ MessageSid: 'SM1', From: from, Body: text })
    const url = 'https://w.test/v1/receipts/sms/twilio'
    const headers = { 'x-twilio-signature': signTwilio(url, form, SECRET) }
    return await takeReceipts(shop.runtime, 'sms', {
      url,
      provider: 'twilio',
      headers,
      body: Buffer.from(String(form)),
    })
  }
  return { shop, state, aliyun, twilio }
}

describe('who answers is known however the number was written', () => {
  it.each(['13800138000', '+8613800138000', '0086 138 0013 8000', '86 138-0013-8000', '013800138000'])(
    'Aliyun names 13800138000, the contact has %s',
    async (phone) => {
      const { aliyun, state } = await openDoor(ALIYUN, [phone])
      await aliyun('13800138000', '谢谢')
      expect(await state()).toEqual({ silenced: 0, replies: 1, confirmed: 0 })
      for (let no = 0; no < 2; no += 1) await aliyun('13800138000', '退订')
      expect(await state()).toEqual({ silenced: 1, replies: 2, confirmed: 1 })
    },
  )

  it.each([
    '1701234567',
    '01701234567',
    '+491701234567',
    '+49 (0)170 1234567',
    '00491701234567',
    '491701234567',
  ])('Twilio names +491701234567, the contact has %s', async (phone) => {
    const { twilio, state } = await openDoor(TWILIO, [phone])
    await twilio('+491701234567')
    expect(await state()).toEqual({ silenced: 1, replies: 1, confirmed: 1 })
  })

  it('is one person to the report of who leaves, however many spellings the number has', async () => {
    const { aliyun, shop } = await openDoor(ALIYUN, ['13800138000', '13800138001'])
    await aliyun('13800138000', '退订')
    shop.clock.advance(1)
    const question = { campaign: 'any', now: shop.clock.now(), split: new Map() }
    const { said } = await readLeaving(shop.database, question)
    expect(said.filter(({ source }) => source === 'suppression')).toEqual([
      { source: 'suppression', what: 'phone', reason: 'unsubscribe', people: 1 },
    ])
  })

  it('keeps a reason once, however many spellings the number has, and for nobody else', async () => {
    const { twilio, shop } = await openDoor(TWILIO, ['+491701234567', '+491709999999'])
    // Two answers that a provider gave one name.
    await twilio('+491701234567', 'too_many_messages')
    await twilio('+491709999999', 'Thanks')
    const reasons = await rows(
      shop.database,
      sql`SELECT c.external_id AS contact, g.reason FROM reasons_given g JOIN contacts c USING (contact_id)`,
    )
    expect(reasons).toEqual([{ contact: 'u0', reason: 'too_many_messages' }])
  })

  it('silences each contact with the number, and whoever comes with it later', async () => {
    const { aliyun, state, shop } = await openDoor(ALIYUN, ['13800138000', '+8613800138000'])
    await aliyun('8613800138000', '退订')
    expect(await state()).toEqual({ silenced: 2, replies: 2, confirmed: 1 })
    await shop.importContacts([{ external_id: 'later', phone: '8613800138000' }])
    expect(await state()).toMatchObject({ silenced: 3 })
  })

  it('tells nobody that they are off a list whom we do not know', async () => {
    const { aliyun, state, shop } = await openDoor(ALIYUN, ['13800138000'])
    await aliyun('13900139000', '退订')
    expect(await state()).toEqual({ silenced: 0, replies: 0, confirmed: 0 })
    // Kept all the same: a contact with that number may come tomorrow.
    await shop.importContacts([{ external_id: 'later', phone: '+8613900139000' }])
    expect(await state()).toMatchObject({ silenced: 1 })
  })
})
