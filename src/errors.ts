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
  found?: string | undefined
  expected?: string | undefined
  /** The nearest valid name, when one is near. */
  suggestion?: string | undefined
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

/** The code of what Node, PostgreSQL or Winback threw, such as `ENOENT` or `23505`; empty where it has none. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}

/** Why a file could not be read, in words where the system has only a code for what is met every day. */
export function whyUnreadable(cause: unknown): string {
  const code = codeOf(cause)
  if (code === 'ENOENT') return 'there is no such file'
  if (code === 'EISDIR') return 'it is a folder'
  if (code === 'EACCES') return 'this account may not read it'
  return messageOf(cause)
}

const UNWRITABLE: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such folder',
  ENOTDIR: 'a file is in the way of a folder',
  EEXIST: 'a file is in the way of a folder',
  EISDIR: 'it is a folder',
  EACCES: 'this account may not write there',
  EPERM: 'this account may not write there',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk is full',
}

/** Why a file or a folder could not be written, likewise. */
export function whyUnwritable(cause: unknown): string {
  return UNWRITABLE[codeOf(cause).replace(/^ERR_FS_/, '')] ?? messageOf(cause)
}

/** What OpenSSL calls an error: a number, its own file and line around the few words that say something. */
const OPENSSL = /^(?:write EPROTO )?[\da-f]+:error:[\da-f]+:SSL routines:[^:]*:([^:]+):/i

/** The message of anything thrown, for logs and records. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const tls = OPENSSL.exec(error.message)?.[1]
  if (tls !== undefined) return `TLS: ${tls}`
  const { message, cause } = error
  // Where several addresses of a host were tried, each has a message and the whole has none.
  if (error instanceof AggregateError && message === '') return error.errors.map(messageOf).join('; ')
  // `fetch` says in its cause alone why it failed.
  return message === 'fetch failed' && cause instanceof Error ? `${message}: ${messageOf(cause)}` : message
}
