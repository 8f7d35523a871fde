import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MASKED, maskEmail, maskName, maskPhone, maskText, UNMASKED } from '../../src/config/masking.ts'

describe('masking', () => {
  it('keeps enough to recognise', () => {
    expect(maskEmail('liwei@example.com')).toBe('l***@example.com')
    expect(maskEmail('nonsense')).toBe('***')
    expect(maskPhone('+86 138-0000-1234')).toBe('138****1234')
    expect(maskPhone('13800001234')).toBe('138****1234')
    expect(maskPhone('+49 151 23456789')).toBe('***6789')
    expect(maskPhone('1234')).toBe('***')
    expect([maskName('李伟'), maskName('Li Wei'), maskName('')]).toEqual(['李**', 'L**', ''])
  })

  it('finds addresses and numbers in what a provider says, and leaves dates, amounts and codes alone', () => {
    expect(maskText('550 5.1.1 <liwei@example.com> unknown')).toBe('550 5.1.1 <l***@example.com> unknown')
    expect(maskText('no route to +86 138 0000 1234 (30006)')).toBe('no route to 138****1234 (30006)')
    expect(maskText('手机号13800001234 无效')).toBe('手机号138****1234 无效')
    for (const number of ['138-0000-1234', '138 0000 1234', '8613800001234', '0086 138 0000 1234']) {
      expect(maskText(`ring me at ${number}, please`)).toBe('ring me at 138****1234, please')
    }
    expect(maskText('or at +44 (0)20 7946 0958')).toBe('or at ***0958')
    for (const plain of [
      '2026-03-01T00:00:00.000Z',
      '¥1,234,567.00',
      'id 13800001234567',
      '2026-11-30 1380 0000',
      'at most 1 in 7 days',
    ]) {
      expect(maskText(plain)).toBe(plain)
    }
  })

  // Beginning anew at each letter took minutes.
  it('is done with a long word within a test’s time: whoever types one must not hold up everybody else', () => {
    expect(maskText(`${'a'.repeat(300_000)} li@b.cn`)).toMatch(/a l\*\*\*@b\.cn$/)
  })

  it('masks names by their path and addresses by their look, and nothing an operator wrote', () => {
    const facts = {
      'contact.first_name': 'Li',
      'contact.wechat': 'li@b.cn',
      'contact.level': 3,
      'orders.count': 2,
    }
    expect(MASKED.facts({ ...facts, 'offer.name': 'Tea' })).toEqual({
      'contact.first_name': 'L**',
      'contact.wechat': 'l***@b.cn',
      'contact.level': 3,
      'orders.count': 2,
      'offer.name': 'Tea',
    })
    expect(UNMASKED.facts(facts)).toBe(facts)
  })

  it('never lets a whole address or number through (property)', () => {
    const local = fc.stringMatching(/^[a-z][a-z0-9._]{2,20}[a-z0-9]$/)
    const number = fc.stringMatching(/^1[3-9][0-9]{9}$/)
    fc.assert(
      fc.property(local, number, (name, digits) => {
        const said = maskText(`to ${name}@example.com, ${digits} and +86${digits}: refused`)
        expect(said).not.toContain(`${name}@`)
        expect(said).not.toContain(digits)
      }),
    )
  })
})
