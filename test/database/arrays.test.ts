import { sql } from 'drizzle-orm'
import * as fc from 'fast-check'
import { afterAll, expect, it } from 'vitest'
import { bigints, texts } from '../../src/database/arrays.ts'
import { connect, rows } from '../../src/database/connect.ts'
import { serverUrl } from '../support/database.ts'

const database = connect(serverUrl(), { max: 1 })
afterAll(() => database.close())

it('texts come back as they went, whatever stands in them, and null as null', async () => {
  // PostgreSQL keeps no NUL; half a surrogate pair is no text (storable.ts sees to both).
  const told = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0'))
  const marked = fc.string({ unit: fc.constantFrom('"', '\\', ',', '{', '}', "'", ' ', '\n', 'é', '券') })
  const value = fc.oneof(told, marked, fc.constantFrom('NULL', 'null', '', '{}', null))
  await fc.assert(
    fc.asyncProperty(fc.array(value), async (values) => {
      const [row] = await rows<{ back: (string | null)[] }>(database, sql`SELECT ${texts(values)} AS back`)
      expect(row?.back).toEqual(values)
    }),
  )
})

it('numbers come back as they went, up to the largest there is', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.maxSafeInteger()), async (values) => {
      const [row] = await rows<{ back: string }>(
        database,
        sql`SELECT array_to_json(${bigints(values)})::text AS back`,
      )
      expect(JSON.parse(row?.back ?? '')).toEqual(values)
    }),
  )
})
