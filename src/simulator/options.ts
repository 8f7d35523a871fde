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

export const USAGE = `npm run demo -- [--web | --no-web] [--people N] [--days N]

Draws simulated people, runs the shipped campaigns over their days, and prints what was found beside what is true.
Everything stays in .winback/demo; nothing leaves this machine.

  --web        leave the pages open afterwards, behind a link that signs you in (the default at a terminal)
  --no-web     end by itself (the default in a pipe)
  --people N   how many people, from 100 on (5000)
  --days N     how many days of theirs, from 1 on (60)
  --help       this

Examples
  npm run demo                              # the whole story: about a minute, then the web
  npm run demo -- --no-web > demo.txt       # the same, to be read later
  npm run demo -- --people 500 --days 45    # a quick look; so few people show little`

/** What was asked for on the command line; undefined where it was the usage. @throws WinbackError `usage` */
export function readOptions(): DemoOptions | undefined {
  try {
    const { values } = parseArgs({
      options: {
        web: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
        people: { type: 'string', default: '5000' },
        days: { type: 'string', default: '60' },
      },
      allowNegative: true,
    })
    if (values.help) return undefined
    const number = (name: 'people' | 'days', least: number) => {
      const value = Number(values[name])
      if (Number.isInteger(value) && value >= least) return value
      throw new Error(`--${name} ${values[name]}: expected a whole number from ${least} on`)
    }
    const folder = resolve('.winback', 'demo')
    return { folder, web: values.web, people: number('people', 100), days: number('days', 1) }
  } catch (cause) {
    throw new WinbackError('usage', messageOf(cause), {
      remedy: 'See `npm run demo -- --help`.',
      cause,
    })
  }
}
