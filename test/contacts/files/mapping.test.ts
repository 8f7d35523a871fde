import { describe, expect, it } from 'vitest'
import { type Binding, bindFields } from '../../../src/contacts/files/mapping.ts'

const binding = (header: readonly string[] | undefined): Binding => ({
  fields: ['external_id', 'type', 'occurred_at', 'value'],
  required: ['external_id'],
  header,
  csv: true,
  file: 'sales.csv',
})
const HEADER = ['external_id', 'Date', 'Time', 'A+B']

describe('a value of two columns', () => {
  const read = (occurred_at: string, header?: readonly string[]) =>
    bindFields({ fields: { external_id: header ? 'external_id' : 1, occurred_at } }, binding(header))

  it('is what stands in both, with a space between', () => {
    const { getters, unused } = read('Date + Time', HEADER)
    const at = getters.get('occurred_at')
    expect(at?.(['u1', '1/5/2026', '3:04 PM', ''])).toBe('1/5/2026 3:04 PM')
    expect(at?.(['u1', '1/5/2026', ' ', ''])).toBe('1/5/2026')
    expect(at?.(['u1', '', '', ''])).toBe('')
    expect(unused).toEqual([{ column: 'A+B' }])
  })

  it('may be named by numbers, of which each row must have the last', () => {
    const { getters, columns } = read('2+3')
    expect(getters.get('occurred_at')?.(['u1', "'2026", '08:30'])).toBe('2026 08:30')
    expect(columns).toEqual({ atLeast: 3 })
  })

  it('is one column where one is called so', () => {
    expect(read('A+B', HEADER).getters.get('occurred_at')?.(['u1', 'd', 't', 'both'])).toBe('both')
  })

  it('names the part that is missing', () => {
    expect(() => read('Date+Tine', HEADER)).toThrow('the file has no column "Tine" for occurred_at')
    expect(() => read('2+x')).toThrow('column "x" for occurred_at is not a number')
  })
})

describe('a column that the mapping names', () => {
  const contacts = (header: readonly string[] | undefined, csv: boolean): Binding => ({
    fields: ['external_id', 'email', 'phone', 'attributes.name'],
    required: ['external_id'],
    header,
    csv,
    file: 'people.csv',
  })
  const header = ['email', 'phone', 'name']

  it('is read as what it is called, too, where it tells who somebody is', () => {
    const { getters } = bindFields({ fields: { external_id: 'email' } }, contacts(header, true))
    const row = ['li@shop.example', '', 'Li']
    expect(getters.get('external_id')?.(row)).toBe('li@shop.example')
    expect(getters.get('email')?.(row)).toBe('li@shop.example')
    const lines = bindFields({ fields: { external_id: 'email' } }, contacts(undefined, false))
    expect(lines.getters.get('email')?.({ email: 'li@shop.example' })).toBe('li@shop.example')
  })

  it('is read as nothing else where it is another field', () => {
    const { getters } = bindFields(
      { fields: { external_id: 'phone', name: 'email' } },
      contacts(header, true),
    )
    expect([...getters.keys()].toSorted()).toEqual(['attributes.name', 'external_id', 'phone'])
  })
})
