import fc from 'fast-check'
import { simpleParser } from 'mailparser'
import { createTransport } from 'nodemailer'
import { describe, expect, it } from 'vitest'
import { encodeText, textPart } from '../../../src/channels/email/parts.ts'
import { codePoint } from '../../support/code-points.ts'

/** What a reader makes of a body (RFC 2045, 6.7 and 6.8). */
function decode({ encoding, body }: { encoding: string; body: string }): string {
  if (encoding === '7bit') return body
  if (encoding === 'base64') return Buffer.from(body, 'base64').toString()
  const bytes = body
    .replaceAll('=\r\n', '')
    .replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return Buffer.from(bytes, 'latin1').toString()
}

/** Line ends are CRLF on the wire, but within base64; half a character is no character. */
function asSent(text: string, encoding: string): string {
  const whole = Buffer.from(text).toString()
  return encoding === 'base64' ? whole : whole.replace(/\r\n|\r|\n/g, '\r\n')
}

const piece = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: codePoint }),
  fc.nat(2).map((before) => 'a'.repeat(before) + '='.repeat(40)),
  fc.constantFrom(
    '\n',
    '\r\n',
    '\r',
    ' ',
    '\t',
    '=',
    '=C3',
    '.',
    '\ud800',
    'é',
    '中文',
    '👩‍🚀',
    'a'.repeat(75),
  ),
)

describe('the text of a mail', () => {
  it('comes back as it was, in lines that every server takes', () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        const text = pieces.join('')
        const encoded = encodeText(text)
        expect(decode(encoded)).toBe(asSent(text, encoded.encoding))
        for (const line of encoded.body.split('\r\n')) {
          expect(line).toMatch(/^[\t\x20-\x7e]{0,76}$/)
          expect(line).not.toMatch(/[\t ]$/)
          // No byte is torn apart, and what ends in an equals sign goes on.
          if (encoded.encoding === 'quoted-printable')
            expect(line).toMatch(/^(?:[\t\x20-\x3c\x3e-\x7e]|=[0-9A-F]{2})*=?$/)
        }
      }),
    )
  })

  it('is left alone where it is plain, and else in the shorter encoding', () => {
    expect(encodeText('Hello,\nwe miss you.')).toEqual({ encoding: '7bit', body: 'Hello,\r\nwe miss you.' })
    expect(encodeText('Viele Grüße aus der Stadt = ').body).toBe('Viele Gr=C3=BC=C3=9Fe aus der Stadt =3D=20')
    expect(encodeText(`${'a'.repeat(74)}é`).body).toBe(`${'a'.repeat(74)}=\r\n=C3=A9`)
    expect(encodeText('好久不见，欢迎回来').encoding).toBe('base64')
    for (const text of [
      'Grüße aus Köln, und bis bald',
      '好久不见 abc',
      'déjà vu'.repeat(50),
      '见'.repeat(200),
    ]) {
      const { body } = encodeText(text)
      const other = Math.min(
        Buffer.from(text).toString('base64').length,
        Buffer.from(text)
          .toString('latin1')
          .replace(/[^\x20-\x7e]/g, '=XX').length,
      )
      expect(body.length).toBeLessThanOrEqual(other * 1.1)
    }
  })

  it('is read by another implementation, beside a picture too', async () => {
    const transport = createTransport({ streamTransport: true, buffer: true })
    const html = `<p style="color:#333">Grüße, 你好 = 👋</p>${'<p>x</p>'.repeat(50)}<img src="cid:year">`
    const text =
      'Liebe Grüße\n\nEin Satz, der länger ist als eine Zeile sein darf, und dann noch ein Stück weiter geht. '
    const { message } = await transport.sendMail({
      from: 'a@shop.test',
      to: 'b@people.test',
      html: textPart('html', html),
      text: textPart('plain', text),
      attachments: [
        { cid: 'year', content: Buffer.from('png'), contentType: 'image/png', filename: 'year.png' },
      ],
    })
    const mail = await simpleParser(message as Buffer, { skipImageLinks: true })
    expect(mail.html).toBe(html)
    expect(mail.text?.trimEnd()).toBe(text.trimEnd())
    expect(mail.attachments.map(({ cid, related }) => ({ cid, related }))).toEqual([
      { cid: 'year', related: true },
    ])
  })
})
