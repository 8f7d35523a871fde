import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import Handlebars from 'handlebars'
import { describe, expect, it } from 'vitest'
import { parseClick, trackHtml, unsubscribeUrl } from '../../../src/channels/email/links.ts'
import { isMachine } from '../../../src/channels/email/machine.ts'
import { readReference, referenceOf } from '../../../src/channels/reference.ts'
import { readAddress, signAddress } from '../../../src/tokens/address.ts'
import { readToken, signingKey } from '../../../src/tokens/token.ts'
import { codePoint } from '../../support/code-points.ts'

const key = signingKey(1, randomBytes(32))
const keys = { current: key, verifying: new Map([[1, key]]) }
const base = { url: 'https://wb.shop.example', keys }
const message = { contactId: 4_711, touchpointId: 90_210 }
const NOW = new Date('2026-11-27T00:00:00Z')
const both = { clicks: true, opens: true }
const hrefs = (html: string) => [...html.matchAll(/href="([^"]*)"/g)].map(([, url = '']) => url)
// Made outside of a test: two seconds of a processor, on a busy machine all the time one has.
const addresses = fc.webUrl({ withQueryParameters: true, withFragments: true })
const numbers = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })

describe('tracked links', () => {
  it('lead by us to where the template said, whatever its address', () => {
    fc.assert(
      fc.property(addresses, (url) => {
        const written = url.replaceAll('&', '&amp;')
        const [tracked = ''] = hrefs(
          trackHtml(`<p><a class="x" href="${written}">a</a></p>`, base, message, both),
        )
        expect(tracked).toMatch(/^https:\/\/wb\.shop\.example\/c\/[\w.-]+$/)
        const reading = readToken(keys, 'click', tracked.split('/').at(-1) ?? '', NOW)
        expect(reading.outcome === 'read' && parseClick(reading.payload)).toEqual({
          reference: referenceOf(message),
          url: new URL(url).href,
        })
      }),
    )
  })

  it('lead to what a template printed, whatever the value and its letters, in ASCII', () => {
    const print = Handlebars.compile('<a href="https://shop.example/p?q={{value}}">a</a>')
    const values = fc.oneof(
      fc.string({ unit: codePoint, maxLength: 60 }),
      fc.constantFrom('优惠', "id=7&u=o'x", '&lt;', '`a`<b>"c"', '&#x3D;'),
    )
    fc.assert(
      fc.property(values, (value) => {
        const [tracked = ''] = hrefs(trackHtml(print({ value }), base, message, both))
        const reading = readToken(keys, 'click', tracked.split('/').at(-1) ?? '', NOW)
        const click = reading.outcome === 'read' ? parseClick(reading.payload) : undefined
        expect(click?.url).toBe(new URL(`https://shop.example/p?q=${value}`).href)
        expect(click?.url).toMatch(/^[!-~]+$/)
      }),
    )
    // What is in mailboxes since before was signed as it was written.
    expect(parseClick('1-2 https://shop.example/优惠')?.url).toBe('https://shop.example/%E4%BC%98%E6%83%A0')
  })

  it('leave alone what is ours, what is no page, and what is not asked for', () => {
    const own = unsubscribeUrl(base, message)
    for (const url of [
      own,
      'mailto:a@b.example',
      'tel:123',
      '#top',
      `https://a.example/${'x'.repeat(1_001)}`,
      `https://a.example/${'优'.repeat(600)}`,
      'https://a.example:port/',
    ]) {
      expect(hrefs(trackHtml(`<a href="${url}">a</a>`, base, message, both))).toEqual([url])
    }
    const html = '<body><a href="https://a.example/">a</a></body>'
    expect(trackHtml(html, base, message, { clicks: false, opens: false })).toBe(html)
    expect(trackHtml(html, base, message, { clicks: false, opens: true })).toMatch(
      /<img src="https:\/\/wb\.shop\.example\/o\/[\w.-]+" width="1"[^>]*><\/body>$/,
    )
  })

  it('cannot be made to lead elsewhere', () => {
    const [tracked = ''] = hrefs(trackHtml('<a href="https://a.example/">a</a>', base, message, both))
    const token = tracked.split('/').at(-1) ?? ''
    fc.assert(
      fc.property(fc.nat(token.length - 1), fc.constantFrom(...'ABCxyz019-_.'), (at, character) => {
        const changed = token.slice(0, at) + character + token.slice(at + 1)
        if (changed !== token) expect(readToken(keys, 'click', changed, NOW)).toEqual({ outcome: 'invalid' })
      }),
    )
    expect(readToken(keys, 'unsubscribe', token, NOW)).toEqual({ outcome: 'invalid' })
    for (const odd of ['', 'x', '1-2 javascript:alert(1)', '1-2 //evil.example', ' https://a.example']) {
      expect(parseClick(odd)).toBeUndefined()
    }
  })
})

describe('references', () => {
  it('are read back, in links and in mailboxes whatever the case, and only where they are whole', () => {
    fc.assert(
      fc.property(numbers, numbers, (contactId, touchpointId) => {
        const reference = { contactId, touchpointId }
        expect(readReference(referenceOf(reference))).toEqual(reference)
        const local = signAddress(keys, 'bounce', referenceOf(reference))
        expect(`${'b'.repeat(15)}+${local}`.length).toBeLessThanOrEqual(64)
        expect(readAddress(keys, 'bounce', local.toUpperCase())).toBe(referenceOf(reference))
        expect(readAddress(keys, 'unsubscribe', local)).toBeUndefined()
      }),
    )
    fc.assert(fc.property(fc.string(), (text) => readAddress(keys, 'bounce', text) === undefined))
  })
})

describe('who opened it', () => {
  it.for([
    ['Mozilla/5.0', true],
    ['', true],
    [undefined, true],
    ['Mozilla/5.0 (compatible; Barracuda Sentinel)', true],
    ['python-requests/2.31', true],
    ['Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)', true],
    ['Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)', true],
    ['TelegramBot (like TwitterBot)', true],
    ['Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)', true],
    ['facebookexternalhit/1.1', true],
    ['Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/120.0 Safari/537.36', true],
    ['Mozilla/5.0 (Windows NT 10.0) SkypeUriPreview/0.5', true],
    ['Mozilla/5.0 (Linux; Android 9; CUBOT X18 Plus) AppleWebKit/537.36', false],
    ['Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Mobile/15E148 MicroMessenger/8.0', false],
    ['Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15', false],
    ['Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)', false],
  ] as const)('%s: a machine is %s', ([agent, machine]) => {
    expect(isMachine(agent, undefined)).toBe(machine)
  })
  it('is no person within seconds of the handover', () => {
    expect(isMachine('Mozilla/5.0 (iPhone) AppleWebKit', 2)).toBe(true)
    expect(isMachine('Mozilla/5.0 (iPhone) AppleWebKit', 60)).toBe(false)
  })
})
