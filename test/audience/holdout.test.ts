import { sql } from 'drizzle-orm'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { armSql, type DrawPurpose, draw, drawSql } from '../../src/audience/holdout.ts'
import { rows } from '../../src/database/connect.ts'
import { emptiedDatabase } from '../support/emptied.ts'

const PURPOSES: DrawPurpose[] = ['control', 'rollout', 'arm', 'tier:coupon', 'tier:letter']

describe('a draw', () => {
  it('is the same in PostgreSQL and in JavaScript, whatever type the key comes as', async () => {
    const database = await emptiedDatabase()
    await fc.assert(
      fc.asyncProperty(
        fc.string({ maxLength: 20 }).filter((salt) => !salt.includes('\0')),
        fc.constantFrom(...PURPOSES),
        fc.array(fc.nat({ max: Number.MAX_SAFE_INTEGER }), { minLength: 1, maxLength: 3 }),
        fc.constantFrom('bigint', 'text', 'numeric'),
        async (salt, purpose, keys, type) => {
          const casts = keys.map((key) => sql`${key}::${sql.raw(type)}`)
          const [row] = await rows<{ draw: string }>(
            database,
            sql`SELECT ${drawSql(salt, purpose, ...casts)} AS draw`,
          )
          expect(Number(row?.draw)).toBe(draw(salt, purpose, ...keys))
        },
      ),
      { numRuns: 200 },
    )
  })

  it('falls below a share as often as the share says', () => {
    const people = 50_000
    for (const purpose of PURPOSES) {
      for (const share of [0.01, 0.1, 0.5]) {
        let below = 0
        for (let person = 1; person <= people; person += 1)
          below += draw('salt', purpose, person) < share ? 1 : 0
        // Four standard errors.
        const error = 4 * Math.sqrt((share * (1 - share)) / people)
        expect(Math.abs(below / people - share)).toBeLessThan(error)
      }
    }
  })

  it('for one purpose says nothing of a draw for another, nor of the next episode', () => {
    const people = 6_000
    const apart = (one: (person: number) => number, other: (person: number) => number) => {
      let both = 0
      for (let person = 1; person <= people; person += 1) {
        both += one(person) < 0.5 && other(person) < 0.5 ? 1 : 0
      }
      expect(Math.abs(both / people - 0.25)).toBeLessThan(4 * Math.sqrt(0.1875 / people))
    }
    apart(
      (person) => draw('salt', 'control', person),
      (person) => draw('salt', 'rollout', person),
    )
    apart(
      (person) => draw('salt', 'arm', person, 1),
      (person) => draw('salt', 'tier:coupon', person, 1),
    )
    apart(
      (person) => draw('salt', 'arm', person, 1),
      (person) => draw('salt', 'arm', person, 2),
    )
    apart(
      (person) => draw('one campaign', 'arm', person, 1),
      (person) => draw('another', 'arm', person, 1),
    )
  })
})

describe('an arm', () => {
  const arms = async (control: number, holdout: number, episodeNo: number) => {
    const found = await rows<{ person: number; arm: string }>(
      await emptiedDatabase(),
      sql`SELECT p AS person, ${armSql({
        workspaceSalt: 'w',
        campaignSalt: 'c',
        control,
        holdout,
        person: sql`p`,
        episodeNo: sql`${episodeNo}::int`,
      })} AS arm FROM generate_series(1, 4000) AS p`,
    )
    return new Map(found.map(({ person, arm }) => [person, arm]))
  }

  it('is control for a person in every episode, and drawn anew for the rest', async () => {
    const first = await arms(0.1, 0.3, 1)
    const second = await arms(0.1, 0.3, 2)
    let moved = 0
    for (const [person, arm] of first) {
      const isControl = draw('w', 'control', person) < 0.1
      expect(arm === 'control').toBe(isControl)
      expect(second.get(person) === 'control').toBe(isControl)
      if (!isControl) expect(arm).toBe(draw('c', 'arm', person, 1) < 0.3 ? 'holdout' : 'treated')
      if (arm !== second.get(person)) moved += 1
    }
    // Of the nine tenths that are no control, 2 × 0.3 × 0.7 change sides.
    expect(moved / 4000).toBeGreaterThan(0.33)
    expect(moved / 4000).toBeLessThan(0.43)
  })

  it('knows shares of nobody and of everybody', async () => {
    expect(new Set((await arms(0, 0, 1)).values())).toEqual(new Set(['treated']))
    expect(new Set((await arms(0, 1, 1)).values())).toEqual(new Set(['holdout']))
    expect(new Set((await arms(1, 1, 1)).values())).toEqual(new Set(['control']))
  })
})
