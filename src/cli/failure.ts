import { readFile } from 'node:fs/promises'
import { CommanderError } from 'commander'
import { formatProblems } from '../config/documents/problems.ts'
import { isGone } from '../database/outage.ts'
import { ConfigError, codeOf, type Location, messageOf, type Problem, WinbackError } from '../errors.ts'
import type { Language } from '../reports/words.ts'
import { FAILURE_WORDS, type FailureWords } from './failure-words.ts'
import type { Colors } from './output.ts'
import type { Misuse } from './usage-words.ts'

/** What a script may rely on. */
export const EXIT = {
  fine: 0,
  /** The input is wrong: a file, a row, a setting. */
  input: 1,
  /** The command is used wrongly: an unknown verb or option. */
  usage: 2,
  /** Something needed does not answer: database, Redis, SMTP. */
  unavailable: 3,
  /** A safety refused: the plan's inputs changed, the feed is stale, a file would be overwritten. */
  refused: 4,
  /** A defect in Winback itself. */
  defect: 70,
  interrupted: 130,
} as const

// By the code's exact name first, then by its first word; anything else is wrong input.
const EXIT_BY_CODE: Readonly<Record<string, number>> = {
  'database.no_schema': EXIT.input,
  'database.schema': EXIT.input,
  'plan.hash': EXIT.usage,
  interrupted: EXIT.interrupted,
  usage: EXIT.usage,
  database: EXIT.unavailable,
  embedded: EXIT.unavailable,
  redis: EXIT.unavailable,
  queue: EXIT.unavailable,
  smtp: EXIT.unavailable,
  channel: EXIT.unavailable,
  unavailable: EXIT.unavailable,
  'move.busy': EXIT.refused,
  'move.occupied': EXIT.refused,
  plan: EXIT.refused,
  feed: EXIT.refused,
  switch: EXIT.refused,
  refused: EXIT.refused,
}

// Errors of node-postgres, ioredis and the network that mean "it does not answer" wherever they surface, beside those of a
// database that is away, and a right that its role lacks (42501).
const UNREACHABLE =
  /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|CERT_HAS_EXPIRED|UNABLE_TO_.*|ERR_TLS_.*|ERR_SSL_.*|EPROTO|ECONNREFUSED|ECONNRESET|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ESOCKET|ECONNECTION|28P01|28000|3D000|42501)$/

/** A machine that lets nobody write, ours or the database's, by the codes of the system and of PostgreSQL. */
const UNWRITABLE: readonly (readonly [RegExp, 'full' | 'readOnly'])[] = [
  [/^(ENOSPC|EDQUOT|53100)$/, 'full'],
  [/^(EROFS|25006)$/, 'readOnly'],
]

/**
 * A statement that the server ended before its time, or whose connection: by a limit of the role's (of statements, locks and
 * transactions), or because somebody asked for it.
 */
const CUT_SHORT = /^(57014|55P03|25P03|25P04)$/

function isCutShort(error: unknown): boolean {
  return causes(error).some((cause) => CUT_SHORT.test(codeOf(cause)))
}

function unwritableOf(error: unknown): 'full' | 'readOnly' | undefined {
  const codes = causes(error).map(codeOf)
  return UNWRITABLE.find(([code]) => codes.some((each) => code.test(each)))?.[1]
}

/** The exit code of anything thrown. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.fine : EXIT.usage
  if (error instanceof WinbackError) {
    const known = EXIT_BY_CODE[error.code] ?? EXIT_BY_CODE[error.code.split('.')[0] ?? '']
    return known ?? (unwritableOf(error) ? EXIT.unavailable : EXIT.input)
  }
  const away = causes(error).some((cause) => isGone(cause) || UNREACHABLE.test(codeOf(cause)))
  return away || unwritableOf(error) || isCutShort(error) ? EXIT.unavailable : EXIT.defect
}

/** What --json prints in place of the result. */
export interface FailureDocument {
  readonly error: {
    readonly code: string
    readonly message: string
    readonly location?: Location
    readonly remedy: string
    readonly facts?: Readonly<Record<string, unknown>>
    readonly problems?: readonly Problem[]
    readonly causes?: readonly string[]
  }
}

export function failureDocument(error: unknown, verb?: string, misuse?: Misuse): FailureDocument {
  const remedy = remedyOf(error, verb, FAILURE_WORDS.en, misuse) ?? FAILURE_WORDS.en.help(verb)
  const chain = causes(error).slice(1).map(messageOf)
  const known = error instanceof WinbackError ? error : undefined
  const codes: Readonly<Record<number, string>> = { [EXIT.usage]: 'usage', [EXIT.unavailable]: 'unavailable' }
  return {
    error: {
      code: known?.code ?? codes[exitCodeOf(error)] ?? 'unexpected',
      message: isHelp(error) ? whatIsMissing(verb) : (misuse?.message ?? messageOf(error)),
      ...(known?.location ? { location: known.location } : {}),
      remedy,
      ...(known && Object.keys(known.facts).length > 0 ? { facts: known.facts } : {}),
      ...(error instanceof ConfigError ? { problems: error.problems } : {}),
      ...(chain.length > 0 ? { causes: chain } : {}),
    },
  }
}

/**
 * What to do next. A usage error that has nothing better to say points at the help of its verb.
 * @param verb what was asked for: `calls claim`; undefined where it came to none
 */
function remedyOf(
  error: unknown,
  verb: string | undefined,
  words: FailureWords,
  misuse: Misuse | undefined,
): string | undefined {
  if (misuse) return [misuse.meant, words.help(verb)].filter((text) => text !== '').join(words.space)
  if (error instanceof CommanderError) return words.help(verb)
  if (error instanceof ConfigError) return words.mend
  const known = error instanceof WinbackError
  if (known && error.remedy !== undefined) return error.remedy
  switch (exitCodeOf(error)) {
    case EXIT.usage:
      return words.help(verb)
    case EXIT.unavailable: {
      const unwritable = unwritableOf(error)
      if (known) return undefined
      return unwritable ? words[unwritable] : isCutShort(error) ? words.cutShort : words.doctor
    }
    default:
      return known ? undefined : words.defect
  }
}

/** What commander throws where it shows help instead of doing anything. */
export function isHelp(error: unknown): boolean {
  return error instanceof CommanderError && error.code === 'commander.help'
}

function whatIsMissing(verb: string | undefined): string {
  return verb === undefined || verb === 'help'
    ? 'no verb was given that there is'
    : `winback ${verb} needs one of its own verbs behind it`
}

/** The failure in words: what happened, where, why, and what to do next. */
export async function formatFailure(
  error: unknown,
  options: {
    verbose: boolean
    colors: Colors
    verb?: string | undefined
    language?: Language
    misuse?: Misuse | undefined
  },
): Promise<string> {
  const { colors, verbose, verb, language = 'en', misuse } = options
  const words = FAILURE_WORDS[language]
  const label = colors.red(`${words.error}${words.colon.trimEnd()}`) + (language === 'en' ? ' ' : '')
  if (error instanceof ConfigError) {
    const excerpts = formatProblems(error.problems, await sourcesOf(error.problems), words)
    return `${excerpts}\n\n${label}${words.problems(error.problems.length)}`
  }
  if (misuse) {
    const remedy = remedyOf(error, verb, words, misuse)
    return `${label}${misuse.message}\n  ${colors.cyan('→')} ${remedy}`
  }
  const lines = [`${label}${messageOf(error)}`]
  if (error instanceof WinbackError) {
    if (error.location) lines.push(`  ${words.at}${formatLocation(error.location)}`)
    const remedy = remedyOf(error, verb, words, undefined)
    if (remedy) lines.push(`  ${colors.cyan('→')} ${remedy}`)
  }
  const known = error instanceof WinbackError
  // A known error has said in its own words what its cause means; the chain is for those who look closer.
  if (!known || verbose) {
    for (const cause of causes(error).slice(1))
      lines.push(colors.dim(`  ${words.because}${words.colon}${messageOf(cause)}`))
  }
  const defect = exitCodeOf(error) === EXIT.defect
  if (!known && !(defect && verbose))
    lines.push(`  ${colors.cyan('→')} ${remedyOf(error, verb, words, undefined) ?? ''}`)
  if (verbose && (known || defect)) lines.push(colors.dim(stackOf(error)))
  return lines.join('\n')
}

/** `campaigns/x.yaml:12:5`, as editors and terminals link it. */
function formatLocation(location: Location): string {
  return [location.file, location.line, location.column].filter((part) => part !== undefined).join(':')
}

/** The text of every file a problem points into; a file that cannot be read is left out. */
export async function sourcesOf(problems: readonly Problem[]): Promise<Map<string, string>> {
  const files = [...new Set(problems.map((problem) => problem.location.file))]
  const texts = await Promise.all(
    files.map(async (file) => [file, await readFile(file, 'utf8').catch(() => undefined)] as const),
  )
  return new Map(texts.flatMap(([file, text]) => (text === undefined ? [] : [[file, text] as const])))
}

function causes(error: unknown): unknown[] {
  const chain: unknown[] = []
  // Errors can be their own cause by mistake; a chain of ten says all there is to say.
  for (let next = error; next !== undefined && next !== null && chain.length < 10; ) {
    if (chain.includes(next)) break
    chain.push(next)
    if (next instanceof AggregateError) chain.push(...next.errors)
    next = next instanceof Error ? next.cause : undefined
  }
  return chain
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? '') : ''
}
