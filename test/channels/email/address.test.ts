import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseAddress, parseSender } from '../../../src/channels/email/address.ts'
import { codePoint } from '../../support/code-points.ts'

describe('parseAddress', () => {
  it.for([
    ['li@mail.example', 'li@mail.example'],
    ['  li@Mail.Example ', 'li@mail.example'],
    ['Li.Wang+shop@mail.example', 'Li.Wang+shop@mail.example'],
    ["o'neil@mail.example", "o'neil@mail.example"],
    ['李@例え.jp', '李@xn--r8jz45g.jp'],
    ['li@bücher.example', 'li@xn--bcher-kva.example'],
    ['li@xn--bcher-kva.example', 'li@xn--bcher-kva.example'],
    ['li@mail。example', 'li@mail.example'],
  ] as const)('%s is handed over as %s', ([text, address]) => {
    expect(parseAddress(text)).toBe(address)
  })

  it.for([
    '',
    '@',
    'li',
    'li@',
    '@mail.example',
    'li@localhost',
    'li@127.0.0.1',
    'li@[127.0.0.1]',
    'li@mail..example',
    'li@-mail.example',
    'li@mail.example.',
    'li@mail/evil.example',
    'li@mail%2eexample',
    'li@mail:25.example',
    'li.@mail.example',
    '.li@mail.example',
    'l..i@mail.example',
    'l i@mail.example',
    'li@ mail.example',
    'li\u200b@mail.example',
    'li@mail.example\r\nRCPT TO:<x@y.example>',
    'li@mail.example>',
    '<li@mail.example>',
    'li@mail.example,wang@mail.example',
    '"li wang"@mail.example',
    'Li <li@mail.example>',
    `${'x'.repeat(65)}@mail.example`,
    `li@${'x'.repeat(64)}.example`,
    `li@${'x.'.repeat(130)}example`,
  ])('refuses %j', (text) => {
    expect(parseAddress(text)).toBeUndefined()
  })

  it('lets nothing through that could end a line, and is stable', () => {
    const tricky = fc.string({ unit: fc.constantFrom(...'ab.@<>"\r\n\t ,;:()[]\\\u0000\u2028é例-_') })
    fc.assert(
      fc.property(fc.oneof(fc.emailAddress(), fc.string({ unit: codePoint }), tricky), (text) => {
        const address = parseAddress(text)
        if (address === undefined) return
        expect(address).toMatch(/^[^\s<>(),;:"\\[\]@\p{Cc}]+@[a-z0-9.-]+$/u)
        expect(parseAddress(address)).toBe(address)
      }),
      { numRuns: 500 },
    )
  })
})

describe('parseSender', () => {
  it('takes an address with or without a name, in any script', () => {
    expect(parseSender('Shop <hello@shop.example>')).toEqual({
      name: 'Shop',
      address: 'hello@shop.example',
      domain: 'shop.example',
    })
    expect(parseSender('hello@shop.example')).toMatchObject({ name: '', address: 'hello@shop.example' })
    expect(parseSender('小店，你好 <hello@shop.example>')).toMatchObject({ name: '小店，你好' })
    expect(parseSender('"Shop, Ltd." <hello@shop.example>')).toMatchObject({ name: 'Shop, Ltd.' })
  })
  it.for(['', 'Shop', 'a@shop.example, b@shop.example', 'Shop <nobody>', 'Team: a@shop.example;'])(
    'refuses %j',
    (text) => {
      expect(parseSender(text)).toBeUndefined()
    },
  )
})
