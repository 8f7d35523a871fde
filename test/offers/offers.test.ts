import { describe, expect, it } from 'vitest'
import {
  expectedOf,
  faceOf,
  grantViewer,
  type OfferKind,
  offer,
  offers,
  offerVariables,
  viewOffer,
} from '../../src/offers/offers.ts'

// What every kind of offer has to keep to, whichever kinds there are.

const SAMPLES: Record<OfferKind, Record<string, unknown>> = {
  coupon: { kind: 'coupon', amount: '5 CNY', minimum: '20 CNY', valid: '7d', expected_redemption: '8%' },
  trial: { kind: 'trial', days: 7, value: '3 CNY', valid: '14d', expected_redemption: '8%' },
  benefit: {
    kind: 'benefit',
    name: 'A better plan',
    form: 'plan',
    value: '9 CNY',
    expected_redemption: '8%',
  },
}

describe.each(Object.keys(offers) as OfferKind[])('offer %s', (kind) => {
  const terms = offer.parse(SAMPLES[kind])

  it('is read by its own schema, and refuses what it does not know', () => {
    expect(offers[kind].kind).toBe(kind)
    expect(terms).toMatchObject({ kind, deliver: 'account', codes: 'generated', expected_redemption: 0.08 })
    expect(offer.safeParse({ ...SAMPLES[kind], nonsense: 1 }).success).toBe(false)
  })

  it('costs whole micros, and is expected to cost its share', () => {
    expect(Number.isSafeInteger(faceOf(terms))).toBe(true)
    expect(faceOf(terms)).toBeGreaterThan(0)
    expect(expectedOf(terms)).toBe(Math.round(faceOf(terms) * 0.08))
  })

  it('says in a message exactly what it says it says', () => {
    const granted = grantViewer('sample', terms)
    const expiresAt = new Date('2026-03-09T01:00:00Z')
    const view = granted({ code: 'AAAA', expiresAt })
    expect(view).toEqual({
      ...viewOffer('sample', terms),
      code: 'AAAA',
      expires_at: '2026-03-09T01:00:00.000Z',
    })
    expect(granted({ code: null, expiresAt })).not.toHaveProperty('code')
    const said = Object.keys(view).map((name) => `offer.${name}`)
    expect(said.toSorted()).toEqual(offerVariables(kind, 'code').toSorted())
    expect(offerVariables(kind, 'account')).not.toContain('offer.code')
    for (const value of Object.values(view)) expect(value).not.toBe('')
  })
})
