import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { messageOf, WinbackError } from '../errors.ts'

export interface DemoOptions {
  readonly folder: string
  readonly people: number
  readonly days: number
  /** `--web` or `--no-web`; undefined where nothing was said. */
  readonly web: boolean | undefined
}

/** What was asked for on the command line. @throws WinbackError `usage` */
export function readOptions(): DemoOptions {
  try {
    const { values } = parseArgs({
      options: {
        web: { type: 'boolean' },
        people: { type: 'string', default: '5000' },
        days: { type: 'string', default: '60' },
      },
      allowNegative: true,
    })
    const number = (name: 'people' | 'days', least: number) => {
      const value = Number(values[name])
      if (Number.isInteger(value) && value >= least) return value
      throw new Error(`--${name} ${values[name]}: expected a whole number from ${least} on`)
    }
    const folder = resolve('.winback', 'demo')
    return { folder, web: values.web, people: number('people', 100), days: number('days', 1) }
  } catch (cause) {
    throw new WinbackError('usage', messageOf(cause), {
      remedy:
        'npm run demo -- [--web | --no-web] [--people 5000] [--days 60]. By default the web is left open at a terminal.',
      cause,
    })
  }
}
