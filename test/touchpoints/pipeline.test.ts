import { sql } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import { runCampaign } from '../../src/audience/run.ts'
import { testChannel } from '../support/channel.ts'
import { emptiedDatabase } from '../support/emptied.ts'
import { condition, DAY, openPipeline, START } from '../support/pipeline.ts'

const ago = (days: number) => new Date(START.getTime() - days * DAY * 1000)

describe('one lapse, from selection to record', () => {
  it('opens an episode, sends the first step, and leaves the later one planned', async () => {
    const pipeline = await openPipeline({ database: await emptiedDatabase() })
    const contact = await pipeline.addContact({ silentSince: ago(4) })
    await pipeline.addContact({ silentSince: ago(1) })
    const result = await runCampaign(pipeline.run, pipeline.campaign, START)
    expect(result).toMatchObject({ state: 'done', considered: 1, answers: { opened: 1 } })
    await pipeline.work()
    expect(await pipeline.records()).toEqual([
      { contactId: contact, step: 'remind', state: 'sent', reason: null },
    ])
    expect(await pipeline.open()).toMatchObject([{ step: 'coupon', state: 'planned' }])
    expect(pipeline.channel.sent).toHaveLength(1)
  })

  it('runs once for a scheduled moment', async () => {
    const pipeline = await openPipeline({ database: await emptiedDatabase() })
    await pipeline.addContact({ silentSince: ago(4) })
    await runCampaign(pipeline.run, pipeline.campaign, START)
    const again = await runCampaign(pipeline.run, pipeline.campaign, START)
    expect(again.state).toBe('already_done')
    await pipeline.work()
    expect(pipeline.channel.sent).toHaveLength(1)
  })

  it('cancels what is planned, queued or claimed when the contact returns', async () => {
    const pipeline = await openPipeline({ database: await emptiedDatabase() })
    const contact = await pipeline.addContact({ silentSince: ago(4) })
    await runCampaign(pipeline.run, pipeline.campaign, START)
    pipeline.clock.advance(3600)
    await pipeline.addActivity(contact, pipeline.clock.now())
    await pipeline.work()
    expect(pipeline.channel.sent).toHaveLength(0)
    expect(await pipeline.records()).toMatchObject([
      { step: 'coupon', state: 'cancelled', reason: 'returned' },
      { step: 'remind', state: 'cancelled', reason: 'returned' },
    ])
  })

  it('enters the next tier by the clock alone and supersedes the rest of the one before', async () => {
    const pipeline = await openPipeline({ database: await emptiedDatabase() })
    const contact = await pipeline.addContact({ silentSince: ago(6.5) })
    await runCampaign(pipeline.run, pipeline.campaign, START)
    await pipeline.work()
    pipeline.clock.advance(DAY / 2)
    const second = await runCampaign(pipeline.run, pipeline.campaign, pipeline.clock.now())
    expect(second).toMatchObject({ advanced: 1, considered: 0 })
    await pipeline.work()
    expect(await pipeline.records()).toEqual([
      { contactId: contact, step: 'coupon', state: 'cancelled', reason: 'superseded' },
      { contactId: contact, step: 'remind', state: 'sent', reason: null },
      { contactId: contact, step: 'trial', state: 'sent', reason: null },
    ])
  })

  it('ends the episode after window and grace, and only then opens another', async () => {
    const pipeline = await openPipeline({
      database: await emptiedDatabase(),
      tiers: [{ name: 'only', from: 3 * DAY, to: null, steps: [{ id: 'remind' }] }],
    })
    await pipeline.addContact({ silentSince: ago(4) })
    await runCampaign(pipeline.run, pipeline.campaign, START)
    await pipeline.work()
    pipeline.clock.advance(31 * DAY)
    expect(await runCampaign(pipeline.run, pipeline.campaign, pipeline.clock.now())).toMatchObject({
      ended: 0,
      considered: 0,
    })
    pipeline.clock.advance(DAY)
    expect(await runCampaign(pipeline.run, pipeline.campaign, pipeline.clock.now())).toMatchObject({
      ended: 1,
      answers: { opened: 1 },
    })
  })

  it('skips for want of an address, a condition, a fact', async () => {
    const pipeline = await openPipeline({
      database: await emptiedDatabase(),
      tiers: [
        {
          name: 'only',
          from: 3 * DAY,
          to: null,
          steps: [
            { id: 'plain' },
            { id: 'unless', condition: condition('x', sql`(c.attributes->>'vip') = 'yes'`) },
            { id: 'named', facts: [{ path: 'contact.first_name', value: sql`c.attributes->'first_name'` }] },
            {
              id: 'softly',
              facts: [{ path: 'contact.first_name', value: sql`c.attributes->'first_name'` }],
              otherwise: true,
            },
          ],
        },
      ],
    })
    const silentSince = ago(4)
    const nobody = await pipeline.addContact({ silentSince, email: null })
    const plain = await pipeline.addContact({ silentSince, attributes: { vip: 'no' } })
    const vip = await pipeline.addContact({ silentSince, attributes: { vip: 'yes', first_name: 'Li' } })
    const hollow = [' ', '\u00a0\u3000', '\u200b\u202e', '\t\r\n\u2028', '\ufeff\u200d\u3164']
    const hollows: number[] = []
    for (const first_name of hollow) {
      hollows.push(await pipeline.addContact({ silentSince, attributes: { vip: 'yes', first_name } }))
    }
    await runCampaign(pipeline.run, pipeline.campaign, START)
    await pipeline.work()
    const said = (contactId: number) => async () =>
      (await pipeline.records())
        .filter((row) => row.contactId === contactId)
        .map((row) => `${row.step} ${row.state} ${row.reason ?? ''}`.trim())
    expect(await said(nobody)()).toEqual(
      ['named', 'plain', 'softly', 'unless'].map((step) => `${step} skipped no_address`),
    )
    expect(await said(plain)()).toEqual([
      'named skipped missing_data',
      'plain sent',
      'softly sent',
      'unless skipped condition',
    ])
    expect(await said(vip)()).toEqual(['named sent', 'plain sent', 'softly sent', 'unless sent'])
    // A name that shows nothing is none.
    for (const contactId of hollows) {
      expect(await said(contactId)()).toEqual([
        'named skipped missing_data',
        ...['plain sent', 'softly sent', 'unless sent'],
      ])
    }
  })

  it('skips what a channel cannot make, whatever it says of that, and sends the others', async () => {
    const channel = testChannel()
    const { render } = channel
    const pipeline = await openPipeline({
      channel,
      tiers: [{ name: 'only', from: 3 * DAY, to: null, steps: [{ id: 'remind' }] }],
    })
    const silentSince = new Date(START.getTime() - 4 * DAY * 1000)
    const odd = await pipeline.addContact({ silentSince })
    const other = await pipeline.addContact({ silentSince })
    channel.render = (template, view, contact) => {
      if (contact.contactId === odd) throw new Error('\u0000 is no letter, nor is \ud800')
      return render(template, view, contact)
    }
    await pipeline.runNow()
    await pipeline.work()
    expect(await pipeline.records()).toEqual([
      { contactId: odd, step: 'remind', state: 'skipped', reason: 'missing_data' },
      { contactId: other, step: 'remind', state: 'sent', reason: null },
    ])
  })

  it('retries with back-off, gives up, and never repeats what is uncertain', async () => {
    const channel = testChannel()
    const pipeline = await openPipeline({
      database: await emptiedDatabase(),
      channel,
      tiers: [{ name: 'only', from: 3 * DAY, to: null, steps: [{ id: 'remind' }] }],
    })
    const [flaky, doubtful, refused] = [
      await pipeline.addContact({ silentSince: ago(4) }),
      await pipeline.addContact({ silentSince: ago(4) }),
      await pipeline.addContact({ silentSince: ago(4) }),
    ]
    channel.answer = ({ address }) =>
      address === `u2@example.com`
        ? { outcome: 'uncertain', detail: 'dropped after DATA' }
        : address === `u3@example.com`
          ? { outcome: 'rejected', reason: 'bad_address', detail: '550 no such user' }
          : { outcome: 'retry', detail: '451 later' }
    await runCampaign(pipeline.run, pipeline.campaign, START)
    for (let round = 0; round < 12; round += 1) {
      await pipeline.work()
      pipeline.clock.advance(6 * 3600)
    }
    expect(await pipeline.records()).toEqual([
      { contactId: flaky, step: 'remind', state: 'failed', reason: 'attempts' },
      { contactId: doubtful, step: 'remind', state: 'uncertain', reason: null },
      { contactId: refused, step: 'remind', state: 'failed', reason: 'bad_address' },
    ])
    const tries = channel.sent.map((message) => message.address)
    expect(tries.filter((address) => address === 'u1@example.com').length).toBe(6)
    expect(tries.filter((address) => address === 'u2@example.com').length).toBe(1)
  })

  it('defers to the local window with a spread, and skips what would come too late', async () => {
    const pipeline = await openPipeline({
      database: await emptiedDatabase(),
      tiers: [{ name: 'only', from: 3 * DAY, to: null, steps: [{ id: 'remind' }] }],
      definition: { limits: { send_window: { default: '09:00-21:00' }, spread: '2h', max_delay: '4h' } },
    })
    const east = await pipeline.addContact({ silentSince: ago(4), timezone: 'Asia/Shanghai' })
    const west = await pipeline.addContact({ silentSince: ago(4), timezone: 'Europe/London' })
    await runCampaign(pipeline.run, pipeline.campaign, START)
    await pipeline.work()
    expect(await pipeline.records()).toMatchObject([
      { contactId: east, state: 'sent' },
      { contactId: west, state: 'skipped', reason: 'too_late' },
    ])
  })
})
