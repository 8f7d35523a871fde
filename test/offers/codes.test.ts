import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DUMMY_CODE, generateCode, isMistyped, normaliseCode, readGenerated } from '../../src/offers/codes.ts'

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

describe('generated codes', () => {
  it('are of one form, never twice, and read back however they are typed', () => {
    const codes = Array.from({ length: 2000 }, generateCode)
    expect(new Set(codes).size).toBe(2000)
    for (const code of codes.slice(0, 100)) {
      expect(code).toMatch(/^[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){3}$/)
      expect(isMistyped(code)).toBe(false)
      const typed = ` ${code.toLowerCase().replaceAll('0', 'o').replaceAll('1', 'l').replaceAll('-', ' ')} `
      expect(readGenerated(typed)).toBe(normaliseCode(code))
    }
  })

  it('find every single wrong letter and every exchange of neighbours but one', () => {
    fc.assert(
      fc.property(fc.nat(15), fc.nat(31), (place, letter) => {
        const code = normaliseCode(generateCode())
        const other = ALPHABET[letter] ?? '0'
        if (other === code[place]) return
        expect(isMistyped(code.slice(0, place) + other + code.slice(place + 1))).toBe(true)
      }),
    )
    fc.assert(
      fc.property(fc.nat(14), (place) => {
        const code = normaliseCode(generateCode())
        const [left = '', right = ''] = [code[place], code[place + 1]]
        // Luhn's blind spot: the first and the last letter of the alphabet beside each other.
        if (left === right || [left, right].toSorted().join('') === '0Z') return
        expect(isMistyped(code.slice(0, place) + right + left + code.slice(place + 2))).toBe(true)
      }),
    )
  })

  it('are told from the dummy of previews, which nobody can redeem', () => {
    expect(DUMMY_CODE).toMatch(/^.{4}-.{4}-.{4}-.{4}$/)
    expect(isMistyped(DUMMY_CODE)).toBe(true)
  })

  it('are not what another system’s codes are held to', () => {
    for (const other of ['', 'FIVE', 'SPRING-2026', '1234-5678-9012-345', 'ÄÖÜÄ-ÖÜÄÖ-ÜÄÖÜ-ÄÖÜÄ']) {
      expect(isMistyped(other)).toBe(false)
    }
  })
})
