import { sql } from 'drizzle-orm'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { parsePhone } from '../../src/channels/sms/phone.ts'
import {
  addressHash,
  addressHashSql,
  normaliseEmail,
  normalisePhone,
  spellings,
} from '../../src/contacts/addresses.ts'
import { rows } from '../../src/database/connect.ts'
import { freshDatabase } from '../support/database.ts'

it.each([
  [' Ann@Example.COM ', 'ann@example.com'],
  ['o’neil+x@mail.example.co.uk', 'o’neil+x@mail.example.co.uk'],
  ['用户@例子.中国', '用户@例子.中国'],
  ['e\u0301@example.com', '\u00e9@example.com'],
  ['ann@example', undefined],
  ['ann@@example.com', undefined],
  ['ann b@example.com', undefined],
  ['\u200bann@example.com\u202c', 'ann@example.com'],
  ['用户\u200b@例子.中国', '用户@例子.中国'],
  ['.ann@example.com', undefined],
  // One asterisk may stand in an address; several are what is left of one.
  ['a*n@example.com', 'a*n@example.com'],
  ['a***@example.com', undefined],
  ['a•••@example.com', undefined],
  ['ann@-example.com', undefined],
  ['ann@example.com, bob@example.com', undefined],
  ['ann@example.com\nBcc: x@y.z', undefined],
  [`${'a'.repeat(65)}@example.com`, undefined],
])('e-mail %j', (written, expected) => expect(normaliseEmail(written)).toBe(expected))

it.each([
  ['+86 138-0013-8000', '+8613800138000'],
  ['0086 (138) 0013.8000', '+8613800138000'],
  ['１３８００１３８０００', '13800138000'],
  ['13800138000.0', '13800138000'],
  ['+4915123456789.00', '+4915123456789'],
  ['\u202d138 0013 8000\u202c', '13800138000'],
  ['+49\u2011151\u20102345678', '+491512345678'],
  ['1.38E+10', undefined],
  ['12345', undefined],
  ['+12345', undefined],
  ['012345', '012345'],
  ['00123456', '+123456'],
  ['+1234567890123456', undefined],
  ['call me', undefined],
])('phone %j', (written, expected) => expect(normalisePhone(written)).toBe(expected))

/** A number of a country, and of the shop's own. */
const NATIONAL = {
  86: /^1[3-9]\d{9}$/,
  1: /^[2-9]\d{2}[2-9]\d{6}$/,
  49: /^1[5-7]\d{8,9}$/,
  33: /^[1-9]\d{8}$/,
  39: /^(3\d{8,9}|0[1-9]\d{6,8})$/,
}

it('has any two writings of a number in each other’s spellings', () => {
  const country = fc.constantFrom('86', '1', '49', '33', '39') as fc.Arbitrary<`${keyof typeof NATIONAL}`>
  const numbers = country.chain((code) =>
    fc.tuple(fc.constant(code), fc.stringMatching(NATIONAL[code]), fc.subarray(['86', '44', '33'])),
  )
  fc.assert(
    fc.property(numbers, ([code, number, others]) => {
      const countries = [code, ...others]
      const writings = [
        ...[`+${code}${number}`, `00${code}${number}`, `${code}${number}`, number],
        ...(code === '39' ? [] : [`0${number}`, `+${code} (0)${number}`, `${code} (0) ${number}`]),
      ].map((text) => normalisePhone(text) ?? '')
      for (const one of writings) expect(spellings(one, countries)).toEqual(expect.arrayContaining(writings))
      // What is sent to at the number is among them, and all of them can be kept.
      for (const text of spellings(`+${code}${number}`, [code])) expect(normalisePhone(text)).toBe(text)
      expect(spellings(number, [code])[0]).toBe(parsePhone(number, code))
      // Of another country, or where none is known, the plus is all that may be missing.
      const abroad = others.filter((other) => !`${code}${number}`.startsWith(other))
      expect(new Set(spellings(`+${code}${number}`, abroad))).toEqual(
        new Set([`+${code}${number}`, `${code}${number}`]),
      )
    }),
  )
})

it.each([
  // A Chinese mobile number is nobody's in America, as one is sent to here.
  ['13800138000', ['86'], '+13800138000'],
  // Italy keeps its zero.
  ['+39061234567', ['39'], '+3961234567'],
  ['+8613800138000', ['49'], '13800138000'],
])('%s with %j is not %s', (phone, countries, other) =>
  expect(spellings(phone, countries)).not.toContain(other),
)

it('hashes alike here and in PostgreSQL', async () => {
  const database = await freshDatabase()
  const [row] = await rows<{ key: Buffer }>(
    database,
    sql`SELECT ${addressHashSql('secret', 'email', sql`${'é@example.com'}::text`)} AS key`,
  )
  expect(row?.key).toEqual(addressHash('secret', 'email', 'é@example.com'))
  expect(addressHash('secret', 'phone', 'x')).not.toEqual(addressHash('secret', 'email', 'x'))
})
