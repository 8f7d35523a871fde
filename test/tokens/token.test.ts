import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readToken, type SigningKeys, signingKey, signToken } from '../../src/tokens/token.ts'

const NOW = new Date('2026-03-01T00:00:00Z')

function keysOf(...ids: number[]): SigningKeys {
  const keys = ids.map((id) => signingKey(id, Buffer.alloc(32, id)))
  const current = keys.at(-1)
  if (!current) throw new Error('no key')
  return { current, verifying: new Map(keys.map((key) => [key.id, key])) }
}

const KEYS = keysOf(1, 2)

describe('a token', () => {
  it('reads as it was signed, whatever the payload, and needs no escaping in a URL', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), (payload) => {
        const token = signToken(KEYS, 'preferences', payload)
        expect(encodeURIComponent(token)).toBe(token)
        expect(readToken(KEYS, 'preferences', token, NOW)).toEqual({ outcome: 'read', payload })
      }),
    )
  })

  it('is compact: a contact’s id and a channel make a link of under fifty characters', () => {
    expect(signToken(KEYS, 'unsubscribe', '1234567.email').length).toBeLessThan(50)
  })

  it('is worth nothing with any character changed, added or taken away', () => {
    const token = signToken(KEYS, 'click', '42.7', new Date('2026-04-01T00:00:00Z'))
    fc.assert(
      fc.property(fc.nat(token.length - 1), fc.string({ minLength: 0, maxLength: 3 }), (at, text) => {
        const tampered = token.slice(0, at) + text + token.slice(at + 1)
        fc.pre(tampered !== token)
        expect(readToken(KEYS, 'click', tampered, NOW)).toEqual({ outcome: 'invalid' })
      }),
      { numRuns: 500 },
    )
  })

  it('refuses any other text without throwing', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 5000 }), (text) => {
        expect(readToken(KEYS, 'click', text, NOW)).toEqual({ outcome: 'invalid' })
      }),
    )
  })

  it('is bound to its purpose', () => {
    const token = signToken(KEYS, 'unsubscribe', '42')
    expect(readToken(KEYS, 'preferences', token, NOW)).toEqual({ outcome: 'invalid' })
  })

  it('cannot be made with another key of the same number', () => {
    const forged = signToken({ ...KEYS, current: signingKey(2, randomBytes(32)) }, 'click', '42')
    expect(readToken(KEYS, 'click', forged, NOW)).toEqual({ outcome: 'invalid' })
  })

  it('expires at its second, and not before', () => {
    const token = signToken(KEYS, 'view', '42', NOW)
    expect(readToken(KEYS, 'view', token, new Date(NOW.getTime() - 1)).outcome).toBe('read')
    expect(readToken(KEYS, 'view', token, NOW)).toEqual({ outcome: 'expired' })
  })

  it('says of a forgery that it is one even where its expiry has passed', () => {
    const token = signToken(KEYS, 'view', '42', NOW)
    expect(readToken(KEYS, 'open', token, NOW)).toEqual({ outcome: 'invalid' })
  })

  it('outlives a rotation, and not the retirement of its key', () => {
    const old = signToken(keysOf(1), 'open', '42')
    expect(readToken(keysOf(1, 2), 'open', old, NOW).outcome).toBe('read')
    expect(readToken(keysOf(2), 'open', old, NOW)).toEqual({ outcome: 'invalid' })
  })
})
