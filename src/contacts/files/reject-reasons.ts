// Why rows were not taken, counted: ten thousand rejects are mostly one thing, said ten thousand times.

/** How many rows were rejected for one reason, and where to see one of them. */
export interface ReasonCount {
  /** Without the row's own values: `signed_up_at: … is not a date that exists`. */
  readonly reason: string
  readonly rows: number
  /** The first line it was found on. */
  readonly line: number
}

/** Reasons a summary tells apart; what goes beyond is summed up as the last of them. */
const REASONS = 20
/** Kept while counting: a reason that carries the row's value in some way not foreseen must not fill the memory. */
const KEPT = 500
/** What is left of the reasons that a summary has no room for. */
export const OTHER_REASONS = 'other reasons'

export interface ReasonCounter {
  add(line: number, reason: string): void
  /** The most frequent first. */
  counted(): readonly ReasonCount[]
}

/** Counts reasons whatever values the rows have. */
export function countReasons(): ReasonCounter {
  const found = new Map<string, { rows: number; line: number }>()
  return {
    add: (line, text) => {
      const kind = reasonKind(text)
      const reason = found.has(kind) || found.size < KEPT ? kind : OTHER_REASONS
      const known = found.get(reason)
      found.set(reason, { rows: (known?.rows ?? 0) + 1, line: Math.min(known?.line ?? line, line) })
    },
    counted: () => {
      const rest = found.get(OTHER_REASONS)
      const named = [...found]
        .filter(([reason]) => reason !== OTHER_REASONS)
        .map(([reason, count]): ReasonCount => ({ reason, ...count }))
        .sort((a, b) => b.rows - a.rows || a.line - b.line)
      const others = [...named.slice(REASONS), ...(rest ? [rest] : [])]
      if (others.length === 0) return named
      const rows = others.reduce((sum, each) => sum + each.rows, 0)
      const line = Math.min(...others.map((each) => each.line))
      return [...named.slice(0, REASONS), { reason: OTHER_REASONS, rows, line }]
    },
  }
}

/** A reason without the values of the row, so that rows with the same fault have the same one; no personal data is left in it. */
function reasonKind(reason: string): string {
  if (reason.startsWith('malformed JSON')) return 'malformed JSON'
  return (
    reason
      // The value as it stood there; how dates are written is a remedy, and stays.
      .replaceAll(/(?<!--date-format )"[\s\S]*?"(?= is | holds |$)/g, '…')
      .replaceAll(/[+-]?\d{4,6}-\d\d-\d\dT[\d:.]+Z(?= lies )/g, '…')
      // Of NDJSON: a number, a list, an object.
      .replace(/: (?!…)[^\n]*?(?= is (?:not|further) )/, ': …')
  )
}
