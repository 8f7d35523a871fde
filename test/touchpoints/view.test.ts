import { expect, it } from 'vitest'
import { viewContact } from '../../src/touchpoints/view.ts'
import { plainCandidate } from '../support/candidate.ts'

it.for([
  ['de', 'de'],
  ['de-AT', 'de'],
  ['de_DE', 'de'],
  ['pt_br', 'pt-BR'],
  ['pt_PT', 'pt-BR'],
  ['fr_FR', 'en'],
  [null, 'en'],
] as const)('a contact of locale %s is written to in %s', ([locale, written]) => {
  const sender = { name: 'Shop', timezone: 'UTC', currency: 'CNY' }
  const locales = ['en', 'de', 'pt-BR']
  expect(viewContact(plainCandidate({ locale }), sender, { locales }).locale).toBe(written)
})
