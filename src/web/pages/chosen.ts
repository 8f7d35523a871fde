import { WinbackError } from '../../errors.ts'
import type { Visit } from './visit.ts'

/** What can be chosen, in words, by the name in the address. */
const CHOICES = {
  campaign: ['campaign', '活动'],
  channel: ['channel', '渠道'],
  locale: ['language', '语言'],
  step: ['step', '步骤'],
  what: ['choice', '选项'],
} as const

/**
 * What the address of a page chooses of what there is; undefined where it chooses nothing. One that is not there is refused:
 * the figures or messages of another would be taken for it.
 * @param by the name in the address
 * @throws WinbackError `choice.unknown`, naming what there is
 */
export function chosen<Name extends string>(
  visit: Visit,
  by: keyof typeof CHOICES,
  there: readonly Name[],
): Name | undefined {
  const asked = visit.c.req.query(by)?.trim()
  if (asked === undefined || asked === '') return undefined
  const found = there.find((each) => each === asked)
  if (found !== undefined) return found
  const [en, zh] = CHOICES[by]
  throw new WinbackError(
    'choice.unknown',
    visit.say(`There is no ${en} "${asked}" here`, `此处没有${zh}“${asked}”`),
    { remedy: visit.say(`There are: ${there.join(', ')}.`, `可选：${there.join('、')}。`) },
  )
}
