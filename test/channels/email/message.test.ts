import { createHash, createPublicKey, createVerify, generateKeyPairSync } from 'node:crypto'
import fc from 'fast-check'
import { simpleParser } from 'mailparser'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openEmail } from '../../../src/channels/email/email.ts'
import { headerText, messageId, referenceOfId } from '../../../src/channels/email/message.ts'
import { emailSettings } from '../../../src/channels/email/settings.ts'
import { parseTemplates } from '../../../src/channels/templates.ts'
import { codePoint } from '../../support/code-points.ts'
import { type CapturedMail, type CaptureServer, startSmtp } from '../../support/smtp.ts'
import { startRawSmtp } from '../../support/smtp-raw.ts'

let server: CaptureServer
beforeAll(async () => {
  server = await startSmtp()
})
afterAll(() => server.stop())
beforeEach(() => {
  server.messages.length = 0
})

const contact = {
  contactId: 1,
  externalId: 'c-1',
  email: 'li@mail.example',
  phone: null,
  locale: 'en',
  timezone: 'UTC',
}

function open(more: Record<string, unknown> = {}) {
  return openEmail(
    emailSettings.parse({
      from: '小店 <hello@shop.example>',
      smtp: { host: '127.0.0.1', port: server.port },
      ...more,
    }),
  )
}

type OpenEmail = ReturnType<typeof open>

async function deliver(
  front: string,
  body: string,
  view: Record<string, unknown>,
  options: { settings?: Record<string, unknown>; key?: string; email?: string; channel?: OpenEmail } = {},
  to: CaptureServer = server,
): Promise<CapturedMail> {
  const template = parseTemplates({ 't.en.hbs': `---\n${front}\n---\n${body}` }).find('t', { locale: 'en' })
  const channel = options.channel ?? open(options.settings)
  try {
    const address = channel.addressOf({ ...contact, email: options.email ?? contact.email })
    if (address === undefined) throw new Error('no address')
    const content = channel.render(template, view, contact)
    const delivery = await channel.send({
      contactId: 1,
      touchpointId: 1,
      key: options.key ?? 'tp-1',
      address,
      content,
    })
    expect(delivery.outcome).toBe('sent')
  } finally {
    if (!options.channel) await channel.close()
  }
  const mail = to.messages.at(-1)
  if (!mail) throw new Error('nothing arrived')
  return mail
}

function headLines(mail: CapturedMail): string[] {
  const head = mail.raw.toString('latin1').split('\r\n\r\n', 1)[0] ?? ''
  return head.replace(/\r\n[ \t]+/g, ' ').split('\r\n')
}

describe('a mail', () => {
  it('whose picture is not drawn is tried again, and nothing of it goes out', async () => {
    const channel = open()
    let drawn = 0
    const draw = async () => {
      drawn += 1
      if (drawn === 1) throw new Error('no thread could be started')
      return Buffer.from('picture')
    }
    const content = {
      ...{ subject: 'Hello', fromName: undefined, html: '<img src="cid:chart-1">', text: 'Hi' },
      images: [{ cid: 'chart-1', draw }],
    }
    const message = { contactId: 1, touchpointId: 1, key: 'tp-1', address: 'li@mail.example', content }
    expect(await channel.send(message)).toEqual({
      outcome: 'retry',
      detail: 'no thread could be started',
      unsent: true,
    })
    expect(server.messages).toHaveLength(0)
    expect(await channel.send(message)).toMatchObject({ outcome: 'sent' })
    await channel.close()
  })

  it('names itself to SendGrid, who says of no complaint which Message-ID it is about', async () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const public_key = publicKey.export({ format: 'der', type: 'spki' }).toString('base64')
    const settings = { receipts: { sendgrid: { public_key } } }
    const mail = await deliver('subject: Hello', '<p>Hi</p>', {}, { settings })
    expect(JSON.parse(mail.header('x-smtpapi') ?? '')).toEqual({ unique_args: { winback: 'wb-1-1' } })
    expect((await deliver('subject: Hello', '<p>Hi</p>', {})).header('x-smtpapi')).toBeUndefined()
  })

  it('carries the picture of a chart within it, where the text shows it', async () => {
    const months = Array.from({ length: 12 }, (_, no) => ({
      month: `2026-${String(no + 1).padStart(2, '0')}`,
      spend: no * 10,
      active_days: no,
    }))
    const mail = await deliver('subject: Year', `<p>Here:</p>{{chart report.months alt='A "year"'}}`, {
      report: { months },
      $locale: 'zh-CN',
      $currency: 'CNY',
    })
    const parsed = await simpleParser(mail.raw, { keepCidLinks: true })
    expect(parsed.html).toContain('src="cid:chart-1"')
    expect(parsed.html).toContain('alt="A &quot;year&quot;"')
    expect(parsed.text).not.toContain('object')
    expect(parsed.attachments).toMatchObject([
      { cid: 'chart-1', contentType: 'image/png', contentDisposition: 'inline', related: true },
    ])
    expect(parsed.attachments[0]?.content.subarray(1, 4).toString()).toBe('PNG')
  })

  it('carries its headers, both parts, and its names in their script', async () => {
    const mail = await deliver(
      'subject: 你好，{{name}}，购物车还在\nfrom_name: 小店客服',
      '<h1>你好 {{name}}</h1><p>We kept your cart &amp; more. <a href="https://shop.example/cart">Go</a></p>',
      { name: '李<b>' },
      { settings: { reply_to: 'Hilfe für Sie <help@shop.example>' } },
    )
    expect(mail.from).toBe('hello@shop.example')
    expect(mail.to).toEqual(['li@mail.example'])
    expect(mail.header('Message-ID')).toBe('<tp-1.wb-1-1@shop.example>')
    expect(mail.header('Auto-Submitted')).toBe('auto-generated')
    expect(mail.header('Precedence')).toBe('bulk')
    expect(mail.header('X-Winback-Touchpoint')).toBe('tp-1')
    // RFC 2047: whatever is not ASCII travels encoded.
    expect(headLines(mail).join('\n')).toMatch(/^[\t\n -~]*$/)
    const parsed = await mail.parse()
    expect(parsed.subject).toBe('你好，李<b>，购物车还在')
    expect(parsed.from?.value).toEqual([{ name: '小店客服', address: 'hello@shop.example' }])
    expect(parsed.replyTo?.value).toEqual([{ name: 'Hilfe für Sie', address: 'help@shop.example' }])
    expect(parsed.html).toContain('<h1>你好 李&lt;b&gt;</h1>')
    expect(parsed.text).toContain('你好 李<b>')
    expect(parsed.text).toContain('We kept your cart & more. Go ( https://shop.example/cart )')
  })

  it('reaches internationalised addresses: SMTPUTF8 only where the mailbox itself needs it', async () => {
    const raw = await startRawSmtp()
    const settings = { smtp: { host: '127.0.0.1', port: raw.port } }
    await deliver('subject: Hello', '<p>x</p>', {}, { email: 'li@例え.jp', settings }, raw)
    await deliver('subject: Hello', '<p>x</p>', {}, { email: '李@例え.jp', settings }, raw)
    await raw.stop()
    const envelopes = raw.commands.filter((line) => /^(MAIL|RCPT)/.test(line))
    expect(envelopes[0]).not.toContain('SMTPUTF8')
    expect(envelopes[1]).toBe('RCPT TO:<li@xn--r8jz45g.jp>')
    expect(envelopes[2]).toContain('SMTPUTF8')
    expect(envelopes[3]).toBe('RCPT TO:<李@例え.jp>')
  })

  it('refuses to go out without a subject', async () => {
    await expect(deliver("subject: '{{#if name}}Hello{{/if}}'", '<p>x</p>', { name: '' })).rejects.toThrow(
      /without a subject/,
    )
  })
})

describe('header injection', () => {
  const nasty = fc.string({
    unit: fc.constantFrom(
      ...['\r', '\n', '\r\n', '\u0000', '\u0085', '\u2028', '\u202e', '\ud800', '\t', ' ', ':', '<', '>'],
      ...['Bcc', ': ', 'x@evil.example', ',', '"', '=?utf-8?B?', '?=', '\\', '例', 'a', '🙂'],
    ),
    maxLength: 60,
  })

  it('leaves one line, without controls, and changes no harmless text', () => {
    fc.assert(
      fc.property(fc.oneof(nasty, fc.string({ unit: codePoint })), (text) => {
        expect(headerText(text)).not.toMatch(/[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u)
        expect(headerText(headerText(text))).toBe(headerText(text))
      }),
    )
    expect(headerText('你好，Zoë 👩‍👩‍👧!')).toBe('你好，Zoë 👩‍👩‍👧!')
  })

  it('cuts what nobody reads to the end, between two characters', () => {
    expect(headerText('a'.repeat(20_000))).toBe(`${'a'.repeat(249)}…`)
    expect(headerText('👋'.repeat(250))).toBe('👋'.repeat(250))
    expect(headerText('👋'.repeat(251))).toBe(`${'👋'.repeat(249)}…`)
  })

  it('gives every key an id of its own that is one word', () => {
    fc.assert(
      fc.property(nasty, nasty, (a, b) => {
        const id = (key: string) => messageId({ contactId: 71, touchpointId: 9, key }, 'shop.example')
        expect(id(a)).toMatch(/^<[A-Za-z0-9_=-]*\.wb-1z-9@shop\.example>$/)
        expect(referenceOfId(id(a))).toEqual({ contactId: 71, touchpointId: 9 })
        // Lone surrogates have no bytes of their own; a key never has any.
        const whole = (text: string) => Buffer.from(text).toString() === text
        if (a !== b && whole(a) && whole(b)) {
          expect(id(a)).not.toBe(id(b))
        }
      }),
    )
  })

  it('is impossible on the wire, by a name, by the sender’s name or by the key', async () => {
    const channel = open()
    const expected = (await headersOf(channel, 'Li', 'Shop', 'tp-1')).sort()
    await fc.assert(
      fc.asyncProperty(nasty, nasty, nasty, async (name, fromName, key) => {
        expect((await headersOf(channel, `x${name}`, `x${fromName}`, `x${key}`)).sort()).toEqual(expected)
        expect(server.messages.at(-1)?.to).toEqual(['li@mail.example'])
      }),
      { numRuns: 100 },
    )
    await channel.close()
  })

  async function headersOf(
    channel: OpenEmail,
    name: string,
    fromName: string,
    key: string,
  ): Promise<string[]> {
    const mail = await deliver(
      'subject: Hello {{name}}!\nfrom_name: "{{from_name}}"',
      '<p>x</p>',
      { name, from_name: fromName },
      { key, channel },
    )
    return headLines(mail).map((line) => line.slice(0, line.indexOf(':')))
  }
})

describe('DKIM', () => {
  it('signs so that the signature checks out, and a changed subject does not', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const mail = await deliver(
      'subject: 你好 {{name}}',
      '<p>Hello {{name}}</p>',
      { name: '李' },
      {
        settings: {
          dkim: {
            domain: 'shop.example',
            selector: 's1',
            private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
          },
        },
      },
    )
    const key = publicKey.export({ type: 'spki', format: 'pem' }).toString()
    expect(verifyDkim(mail.raw, key)).toEqual({
      body: true,
      signature: true,
      domain: 'shop.example',
      selector: 's1',
    })
    const forged = Buffer.from(mail.raw.toString('latin1').replace(/^Subject: /m, 'Subject: Re: '), 'latin1')
    expect(verifyDkim(forged, key).signature).toBe(false)
    const changed = Buffer.concat([mail.raw.subarray(0, -4), Buffer.from('!\r\n')])
    expect(verifyDkim(changed, key).body).toBe(false)
  })
})

/** RFC 6376, relaxed/relaxed with rsa-sha256, by hand: what a receiving server computes. */
function verifyDkim(raw: Buffer, publicKey: string) {
  const text = raw.toString('latin1')
  const split = text.indexOf('\r\n\r\n')
  const headers = text.slice(0, split).split(/\r\n(?![ \t])/)
  const relax = (header: string) => {
    const colon = header.indexOf(':')
    const value = header
      .slice(colon + 1)
      .replace(/\r\n/g, '')
      .replace(/[ \t]+/g, ' ')
      .trim()
    return `${header.slice(0, colon).trim().toLowerCase()}:${value}`
  }
  const own = headers.find((header) => /^dkim-signature:/i.test(header)) ?? ''
  const tags = new Map(
    relax(own)
      .slice('dkim-signature:'.length)
      .split(';')
      .map((tag) => {
        const [name = '', ...rest] = tag.trim().split('=')
        return [name, rest.join('=').replace(/\s/g, '')] as const
      }),
  )
  expect(tags.get('a')).toBe('rsa-sha256')
  expect(tags.get('c')).toBe('relaxed/relaxed')
  const body = text
    .slice(split + 4)
    .split('\r\n')
    .map((line) => line.replace(/[ \t]+/g, ' ').replace(/ $/, ''))
    .join('\r\n')
    .replace(/(\r\n)*$/, '\r\n')
  const bodyHash = createHash('sha256').update(body, 'latin1').digest('base64')
  const rest = [...headers]
  const signed = (tags.get('h') ?? '').split(':').flatMap((name) => {
    const index = rest.findLastIndex((header) => header.toLowerCase().startsWith(`${name.toLowerCase()}:`))
    return index === -1 ? [] : rest.splice(index, 1).map(relax)
  })
  const unsigned = relax(own)
    .replace(/(\bb=)[^;]*$/, '$1')
    .replace(/(; ?b=)[^;]*/, '$1')
  const verify = createVerify('RSA-SHA256').update([...signed, unsigned].join('\r\n'), 'latin1')
  return {
    body: bodyHash === tags.get('bh'),
    signature: verify.verify(createPublicKey(publicKey), tags.get('b') ?? '', 'base64'),
    domain: tags.get('d'),
    selector: tags.get('s'),
  }
}
