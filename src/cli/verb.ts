import { Command } from 'commander'
import type { Clock } from '../clock.ts'
import type { Environment } from '../config/environment.ts'
import { type LONGEST_TYPED, typedText } from '../config/typed-text.ts'
import { WinbackError } from '../errors.ts'
import type { Outcome, Output } from './output.ts'

/** What every verb is given, whatever it opens. */
export interface Invocation {
  readonly environment: Environment
  readonly output: Output
  /** Absolute; `--cwd`, or where the command was started. */
  readonly cwd: string
  /** `--workspace`, absolute; undefined: look for winback.yaml from `cwd` upward. */
  readonly workspaceFile: string | undefined
  readonly clock: Clock
  /** Aborted by the first Ctrl-C. */
  readonly interrupt: AbortSignal
  /** Absent where a program uses a verb's work: the demo. */
  readonly asked?: Asked
}

/** What was asked for on the command line, as commander read it. */
export interface Asked {
  /** As it is typed: `apply`, `api-keys create`. */
  readonly verb: string
  readonly args: readonly unknown[]
  readonly options: Readonly<Record<string, unknown>>
}

/** Runs a verb's work under the options given on the command line, prints its outcome, sets the exit code. */
export type Start = (command: Command, work: (invocation: Invocation) => Promise<Outcome>) => Promise<void>

/** The tasks `winback` alone lists its verbs by, in this order. */
export const GROUPS = {
  begin: 'Start here',
  campaigns: 'Write and check campaigns',
  data: 'Bring data in',
  run: 'Let it run',
  look: 'See what happened',
  care: 'Keep it healthy',
} as const

type Examples = readonly (readonly [command: string, meaning: string])[]

/** A command with its place in the help, one line for the list, a description and examples. */
export function describe(
  name: string,
  about: {
    group?: keyof typeof GROUPS
    summary: string
    description?: string
    examples: Examples
  },
): Command {
  const command = new Command(name)
    .summary(about.summary)
    .description(`${about.summary}.${about.description ? `\n\n${about.description}` : ''}`)
  addExamples(command, about.examples)
  return about.group ? command.helpGroup(`${GROUPS[about.group]}:`) : command
}

/**
 * Ends a verb's help with examples, two lines each: the command as it is typed, then what it does. The help of one of its
 * subcommands ends with those of them that are its own.
 */
export function addExamples(verb: Command, examples: Examples): Command {
  return verb.addHelpText('afterAll', ({ error, command }) => {
    const path = `winback ${verb.name()} ${command.name()} `
    const own = command === verb ? examples : examples.filter(([typed]) => `${typed} `.includes(path))
    if (own.length === 0) return ''
    const helper = command.createHelp()
    const { getOutHelpWidth, getErrHelpWidth } = command.configureOutput()
    const width = (error ? getErrHelpWidth : getOutHelpWidth)?.() ?? 80
    const lines = own.map(([typed, meaning]) => {
      const words = helper.boxWrap(helper.styleDescriptionText(meaning), width - 6)
      return `  $ ${typed}\n      ${words.replaceAll('\n', '\n      ')}`
    })
    const title = helper.styleTitle(own.length === 1 ? 'Example:' : 'Examples:')
    return `\n${title}\n${lines.join('\n')}`
  })
}

/** Of PostgreSQL's integer, which what is numbered is numbered by. */
const LARGEST = 2_147_483_647

/** An option's value as a whole number. @throws WinbackError `usage.number` */
export function wholeNumber(option: string): (text: string) => number {
  return (text) => {
    if (!/^\d+$/.test(text)) {
      throw new WinbackError('usage.number', `${option} wants a whole number, found "${text}"`)
    }
    const number = Number(text)
    if (number > LARGEST) {
      throw new WinbackError('usage.number', `${option}: ${text.slice(0, 30)} is more than any number here`)
    }
    return number
  }
}

/** A text that is kept, within the bound of its kind. @throws WinbackError `usage.text` */
export function bounded(option: string, kind: keyof typeof LONGEST_TYPED): (typed: string) => string {
  return (typed) => typedText(typed, kind, option)
}

/** Collects a repeatable option: `--map a=b --map c=d`. */
export function repeated(value: string, earlier: readonly string[] | undefined): readonly string[] {
  return [...(earlier ?? []), value]
}

/** `field=column` pairs as a record. @throws WinbackError `usage.pair` */
export function pairs(option: string, texts: readonly string[] | undefined): Record<string, string> {
  return Object.fromEntries(
    (texts ?? []).map((text) => {
      const at = text.indexOf('=')
      if (at < 1) {
        throw new WinbackError('usage.pair', `${option} wants name=value, found "${text}"`, {
          remedy: `Write it as ${option} external_id=customer_id, without spaces around the sign.`,
        })
      }
      return [text.slice(0, at), text.slice(at + 1)]
    }),
  )
}
