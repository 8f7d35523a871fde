import { generateKeyPairSync } from 'node:crypto'
import { createRequire } from 'node:module'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openEmail } from '../../../src/channels/email/email.ts'
import { emailSettings } from '../../../src/channels/email/settings.ts'
import { manualClock } from '../../../src/clock.ts'
import { rows } from '../../../src/database/connect.ts'
import { openLinks } from '../../../src/service/links.ts'
import { takeReturnedMail } from '../../../src/service/mail.ts'
import type { Runtime } from '../../../src/service/runtime.ts'
import { processBatch } from '../../../src/touchpoints/batch.ts'
import { dispatchDue } from '../../../src/touchpoints/dispatch.ts'
import { createSlots } from '../../../src/touchpoints/sending/slots.ts'
import { oneTierCampaign } from '../../support/campaign.ts'
import { testChannel } from '../../support/channel.ts'
import { freshDatabase } from '../../support/database.ts'
import { hasMta, type Mta, startMta } from '../../support/mta.ts'
import { openShop, type Shop, WORKSPACE } from '../../support/shop.ts'
import { type CaptureServer, startSmtp } from '../../support/smtp.ts'

// Through a mail server that others wrote: it takes each mail once and hands it on as it was signed; what nobody
// wants comes back by its own bounce. The signature is verified by another implementation.

const { dkimVerify } = createRequire(import.meta.url)('mailauth/lib/dkim/verify') as {
  dkimVerify(
    mail: Buffer,
    options: { resolver(name: string, type: string): Promise<string[][]> },
  ): Promise<{
    results: { status: { result: string; comment?: string }; signingHeaders?: { keys?: string } }[]
  }>
}

const installed = hasMta()
if (!installed) {
  const advice = 'smtpd is not installed, or this is not root (apt-get install opensmtpd)'
  if (process.env.CI) throw new Error(`${advice}: in CI a real mail server is part of the suite`)
  console.warn(`\n*** ${advice}: THE TEST WITH A REAL MAIL SERVER IS SKIPPED ***\n`)
}

const SOURCE = oneTierCampaign('letters', ['{ id: first, channel: email, template: hello }'])

describe.skipIf(!installed)('a mail server that others wrote', () => {
  const key = generateKeyPairSync('rsa', { modulusLength: 2048 })
  let inbox: CaptureServer
  let nobody: CaptureServer
  let own: CaptureServer
  let mta: Mta
  let shop: Shop
  let runtime: Runtime

  beforeAll(async () => {
    inbox = await startSmtp()
    nobody = await startSmtp({ faults: [{ at: 'rcpt', reply: '550 5.1.1 no such user' }] })
    own = await startSmtp()
    mta = await startMta({ 'people.test': inbox.port, 'gone.test': nobody.port, 'shop.example': own.port })
    const workspace = `${WORKSPACE}web: { url: "https://wb.shop.example" }\n`
    const clock = manualClock(new Date('2026-03-02T09:00:00Z'))
    const database = await freshDatabase()
    shop = await openShop({ database, clock, channels: [testChannel('email')], workspace })
    await shop.apply(SOURCE)
    const links = await openLinks(database, shop.workspace)
    const email = openEmail(
      emailSettings.parse({
        from: 'Shop <hello@shop.example>',
        bounces: 'bounce@shop.example',
        unsubscribe: 'leave@shop.example',
        smtp: { host: '127.0.0.1', port: mta.port },
        dkim: {
          domain: 'shop.example',
          selector: 'wb',
          private_key: key.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
        },
      }),
      undefined,
      links ? { links } : {},
    )
    runtime = {
      ...shop.runtime,
      worker: {
        ...shop.runtime.worker,
        channels: new Map([['email', email]]),
        slots: new Map([['email', createSlots(email.concurrency)]]),
      },
    }
  })
  afterAll(async () => {
    await runtime?.worker.channels.get('email')?.close()
    await mta?.stop()
    await Promise.all([inbox, nobody, own].map((server) => server?.stop()))
    await shop?.runtime.close()
  })

  it('takes each mail exactly once, signed over what unsubscribes; what is not wanted comes back and silences', async () => {
    const people = ['a@people.test', 'b@people.test', 'c@people.test', 'x@gone.test']
    const silent = new Date(shop.clock.now().getTime() - 4 * 86_400_000).toISOString()
    await shop.importContacts(people.map((email, no) => ({ external_id: `p${no}`, email })))
    await shop.importActivity(
      people.map((_, no) => ({ external_id: `p${no}`, type: 'session', occurred_at: silent })),
    )
    await shop.run('letters')
    await dispatchDue(shop.database, { now: shop.clock.now(), jobs: 100 }, async (batch) => {
      await processBatch(runtime.worker, batch)
    })

    await Promise.all([inbox.received(3), own.received(1)])
    expect(inbox.messages.flatMap(({ to }) => to).toSorted()).toEqual(people.slice(0, 3))
    for (const mail of inbox.messages) {
      const { results } = await dkimVerify(mail.raw, {
        resolver: async (name, type) => {
          expect([name, type]).toEqual(['wb._domainkey.shop.example', 'TXT'])
          const spki = key.publicKey.export({ format: 'der', type: 'spki' }).toString('base64')
          return [[`v=DKIM1; k=rsa; p=${spki}`]]
        },
      })
      expect(results.map(({ status }) => status.result)).toEqual(['pass'])
      const signed = /\bh=([^;]+);/.exec(mail.header('DKIM-Signature') ?? '')?.[1]?.toLowerCase() ?? ''
      expect(signed.replaceAll(' ', '').split(':')).toEqual(
        expect.arrayContaining(['list-unsubscribe', 'list-unsubscribe-post', 'feedback-id']),
      )
      expect(mail.header('List-Unsubscribe')).toMatch(
        /^<https:\/\/wb\.shop\.example\/u\/[^>]+>, <mailto:leave\+[0-9a-z-]+@shop\.example\?subject=unsubscribe>$/,
      )
      expect(mail.header('List-Unsubscribe-Post')).toBe('List-Unsubscribe=One-Click')
      expect(mail.header('Feedback-ID')).toBe('letters.first:shop.example:winback')
    }

    const [returned] = own.messages
    expect(returned?.to[0]).toMatch(/^bounce\+[0-9a-z-]+@shop\.example$/)
    const taken = await takeReturnedMail(runtime, returned?.raw ?? Buffer.alloc(0), returned?.to ?? [])
    expect(taken).toMatchObject({ outcome: 'recorded', detail: expect.stringContaining('hard_bounce') })
    const silenced = await rows(
      shop.database,
      sql`SELECT c.email, s.reason FROM suppressions s JOIN contacts c ON c.email_key = s.key`,
    )
    expect(silenced).toEqual([{ email: 'x@gone.test', reason: 'hard_bounce' }])
  })
})
