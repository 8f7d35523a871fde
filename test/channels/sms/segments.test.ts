import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { countSegments } from '../../../src/channels/sms/segments.ts'
import { isOptOut } from '../../../src/channels/sms/words.ts'
import { codePoint } from '../../support/code-points.ts'

const gsm = (segments: number, units: number) => ({ encoding: 'gsm7', segments, units })
const ucs2 = (segments: number, units: number) => ({ encoding: 'ucs2', segments, units })

describe('the segments of a text', () => {
  it.each([
    [0, 1],
    [160, 1],
    [161, 2],
    [306, 2],
    [307, 3],
    [459, 3],
    [460, 4],
  ])('%i GSM characters are %i', (length, segments) => {
    expect(countSegments('a'.repeat(length))).toEqual(gsm(segments, length))
  })
  it.each([
    [70, 1],
    [71, 2],
    [134, 2],
    [135, 3],
    [201, 3],
    [202, 4],
  ])('%i Chinese characters are %i', (length, segments) => {
    expect(countSegments('您'.repeat(length))).toEqual(ucs2(segments, length))
    expect(countSegments('a'.repeat(length), { ucs2: true })).toEqual(ucs2(segments, length))
  })
  it('counts the signature and the way out in', () => {
    const text = (fill: number) => `【小店】${'字'.repeat(fill)}拒收请回复R`
    expect(countSegments(text(60), { ucs2: true })).toEqual(ucs2(1, 70))
    expect(countSegments(text(61), { ucs2: true })).toEqual(ucs2(2, 71))
  })
  it('counts extension characters twice, and never splits one', () => {
    for (const character of '|^€{}[]~\\') expect(countSegments(character)).toEqual(gsm(1, 2))
    expect(countSegments('€'.repeat(80))).toEqual(gsm(1, 160))
    // 152 septets and a character of two: it begins the next segment, and one septet stays empty.
    expect(countSegments(`${'a'.repeat(152)}€${'a'.repeat(151)}`)).toEqual(gsm(2, 305))
    expect(countSegments(`${'a'.repeat(152)}€${'a'.repeat(152)}`)).toEqual(gsm(3, 306))
  })
  it('counts an emoji as two units, and never splits it', () => {
    expect(countSegments('😀'.repeat(35))).toEqual(ucs2(1, 70))
    expect(countSegments(`${'a'.repeat(66)}😀${'a'.repeat(66)}`)).toEqual(ucs2(3, 134))
  })
  it('one letter outside of GSM makes the whole text UCS-2', () => {
    expect(countSegments(`${'a'.repeat(70)}ç`)).toEqual(ucs2(2, 71))
    expect(countSegments('Ç')).toEqual(gsm(1, 1))
  })
  it('never charges for less than it holds, nor more than one unit lost a segment', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 800 }), fc.boolean(), (text, forced) => {
        const { encoding, units, segments } = countSegments(text, { ucs2: forced })
        const [single, joined] = encoding === 'gsm7' ? [160, 153] : [70, 67]
        if (units <= single) expect(segments).toBe(1)
        else {
          expect(segments).toBeGreaterThanOrEqual(Math.ceil(units / joined))
          expect(segments).toBeLessThanOrEqual(Math.ceil(units / (joined - 1)))
        }
        if (encoding === 'ucs2') expect(units).toBe(text.length)
      }),
    )
  })
})

describe('an opt-out', () => {
  it.each([
    'STOP',
    'stop',
    ' Stop. ',
    '“STOP”',
    'ｓｔｏｐ',
    'quit',
    'End!',
    'revoke',
    'Opt out',
    'opt-out',
    'CANCEL',
    'unsubscribe',
    'r',
    'R',
    'TD',
    'td',
    'T',
    '退订',
    '我要退订',
    '退订。',
    '请给我退訂',
    '拒收',
  ])('is %s', (text) => expect(isOptOut(text)).toBe(true))
  it.each([
    '',
    'yes',
    'stopping by tomorrow',
    'the end',
    'thanks',
    'Really?',
    'X',
    '好的',
    'STOPP',
    '我拒收了那个包裹',
  ])('is not %s', (text) => expect(isOptOut(text)).toBe(false))
  it('is decided for any text', () => {
    fc.assert(fc.property(fc.string({ unit: codePoint }), (text) => typeof isOptOut(text) === 'boolean'))
  })
})
