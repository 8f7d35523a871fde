import { createRequire } from 'node:module'
import type { CronExpression } from 'cron-parser'
import { messageOf } from '../errors.ts'

// Read at the first schedule that is looked at: a calendar library of a quarter of a megabyte stands behind it.
const require = createRequire(import.meta.url)

/**
 * A schedule in cron's five fields, to be walked from a moment on, as though the wall clock were in UTC.
 * @throws Error for what is none
 */
export function parseCron(text: string, from: Date): CronExpression {
  const { CronExpressionParser } = require('cron-parser') as typeof import('cron-parser')
  return CronExpressionParser.parse(text, { tz: 'UTC', currentDate: from })
}

/** What is wrong with a schedule in cron's five fields, in words that follow "expected …"; undefined: nothing. */
export function cronTrouble(text: string): string | undefined {
  const fields = text.trim().split(/\s+/).length
  if (fields !== 5)
    return `found ${text.startsWith('@') ? `\`${text}\`` : `${fields} field${fields === 1 ? '' : 's'}`}`
  try {
    // A day that never comes (the 30th of February) parses; asking for it does not.
    parseCron(text, new Date(0)).next()
    return undefined
  } catch (error) {
    const message = messageOf(error)
      .replace(/^Constraint error, got value (\S+) expected range (\d+)-(\d+)$/, '$1 is not from $2 to $3')
      .replace(/^Invalid characters, got value: (.*)$/, '$1 is no time')
    return `found \`${text}\` (${message})`
  }
}

const NICKNAMES: ReadonlyMap<string, string> = new Map([
  ['@hourly', '0 * * * *'],
  ['@daily', '0 0 * * *'],
  ['@midnight', '0 0 * * *'],
  ['@weekly', '0 0 * * 0'],
  ['@monthly', '0 0 1 * *'],
])

/** The five fields that another way of writing a schedule stands for; undefined where that cannot be told. Pure. */
export function cronMeant(text: string): string | undefined {
  const plain = text.trim()
  const [, hour, minute] = /^(\d{1,2}):(\d\d)$/.exec(plain) ?? []
  const meant =
    hour === undefined
      ? (NICKNAMES.get(plain) ?? plain.replace(/^0 (?=(?:\S+ ){4}\S+$)/, ''))
      : `${Number(minute)} ${Number(hour)} * * *`
  return meant !== plain && cronTrouble(meant) === undefined ? meant : undefined
}
