/** A place in a file a person can open: 1-based line and column. */
export interface Location {
  file: string
  line?: number
  column?: number
}

/**
 * An error meant for a person: what happened, where, and what to do next.
 * Expected outcomes (a refused mail, a skipped touchpoint) are values, never errors.
 */
export class WinbackError extends Error {
  override readonly name = 'WinbackError'
  /** Stable, machine-readable: `config.invalid`, `database.unreachable`, … */
  readonly code: string
  readonly location: Location | undefined
  /** The next action, in the imperative: "Run `winback apply`." */
  readonly remedy: string | undefined
  readonly facts: Record<string, unknown>

  constructor(
    code: string,
    message: string,
    options: { location?: Location; remedy?: string; facts?: Record<string, unknown>; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? {} : { cause: options.cause })
    this.code = code
    this.location = options.location
    this.remedy = options.remedy
    this.facts = options.facts ?? {}
  }
}

/** One finding about a configuration file. All findings of a run are reported together. */
export interface Problem {
  severity: 'error' | 'warning'
  location: Location
  /** Dotted path inside the file, `tiers[1].steps[0].template`. */
  path: string
  message: string
  found?: string
  expected?: string
  /** The nearest valid name, when one is near. */
  suggestion?: string
}

/** Thrown once with every problem of a configuration, so that a file is mended in one go. */
export class ConfigError extends WinbackError {
  readonly problems: readonly Problem[]
  constructor(problems: readonly Problem[]) {
    super(
      'config.invalid',
      `${problems.length} problem${problems.length === 1 ? '' : 's'} in the configuration`,
    )
    this.problems = problems
  }
}

/** Why a file could not be read, in words where the system has only a code for what is met every day. */
export function whyUnreadable(cause: unknown): string {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  if (code === 'ENOENT') return 'there is no such file'
  if (code === 'EISDIR') return 'it is a folder'
  if (code === 'EACCES') return 'this account may not read it'
  return messageOf(cause)
}

/** The message of anything thrown, for logs and records. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  // `fetch` says in its cause alone why it failed; where several addresses were tried, that has a code and no message.
  const { message, cause } = error
  if (message !== 'fetch failed' || !(cause instanceof Error)) return message
  const code = 'code' in cause ? String(cause.code) : ''
  return `${message}: ${cause.message || code}`
}
