import { expect, it } from 'vitest'
import { heldTogether } from '../../src/web/pages/amounts.ts'

it('holds a minus to its amount, in either language, and leaves all else as it is', () => {
  const shown = (text: string) => heldTogether(text).replaceAll('\u2060', '~')
  expect(shown('¥6.11 (-¥0.032 … ¥12.26)')).toBe('¥6.11 (-~¥0.032 … ¥12.26)')
  expect(shown('-CN¥0.11')).toBe('-~CN¥0.11')
  expect(shown('-KWD\u00a00.124 (-KWD\u00a00.420 … )')).toBe('-~KWD\u00a00.124 (-~KWD\u00a00.420 … )')
  expect(shown('-$5 or -4.2 pp, graded-recall, a-$b')).toBe('-~$5 or -4.2 pp, graded-recall, a-$b')
})
