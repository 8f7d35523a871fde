import { CronExpressionParser } from 'cron-parser'
import { messageOf } from '../errors.ts'

/** What is wrong with a schedule in cron's five fields, in words that follow "expected …"; undefined: nothing. */
export function cronTrouble(text: string): string | undefined {
  const fields = text.trim().split(/\s+/).length
  if (fields !== 5)
    return `found ${text.startsWith('@') ? `\`${text}\`` : `${fields} field${fields === 1 ? '' : 's'}`}`
  try {
    // A day that never comes (the 30th of February) parses; asking for it does not.
    CronExpressionParser.parse(text, { tz: 'UTC', currentDate: new Date(0) }).next()
    return undefined
  } catch (error) {
    return `found \`${text}\` (${messageOf(error)})`
  }
}
