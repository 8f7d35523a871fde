import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { addressHash, addressHashSql, normaliseEmail, normalisePhone } from '../../src/contacts/addresses.ts'
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
  ['.ann@example.com', undefined],
  ['ann@-example.com', undefined],
  ['ann@example.com, bob@example.com', undefined],
  ['ann@example.com\nBcc: x@y.z', undefined],
  [`${'a'.repeat(65)}@example.com`, undefined],
])('e-mail %j', (written, expected) => expect(normaliseEmail(written)).toBe(expected))

it.each([
  ['+86 138-0013-8000', '+8613800138000'],
  ['0086 (138) 0013.8000', '+8613800138000'],
  ['１３８００１３８０００', '13800138000'],
  ['12345', undefined],
  ['+1234567890123456', undefined],
  ['call me', undefined],
])('phone %j', (written, expected) => expect(normalisePhone(written)).toBe(expected))

it('hashes alike here and in PostgreSQL', async () => {
  const database = await freshDatabase()
  const [row] = await rows<{ key: Buffer }>(
    database,
    sql`SELECT ${addressHashSql('secret', 'email', sql`${'é@example.com'}::text`)} AS key`,
  )
  expect(row?.key).toEqual(addressHash('secret', 'email', 'é@example.com'))
  expect(addressHash('secret', 'phone', 'x')).not.toEqual(addressHash('secret', 'email', 'x'))
})
