import type { ReasonCount } from './reject-reasons.ts'

/**
 * What became of the rows of an import or a sync: rows = inserted + updated + unchanged + erased + rejected, of this call. All
 * of them count rows, also where one row stands for several things that are kept.
 */
export interface RowCounts {
  rows: number
  inserted: number
  updated: number
  /** Known already; of a sync, with those that were read again to be sure. */
  unchanged: number
  /** Of contacts that were erased and are not taken in again. */
  erased: number
  rejected: number
  /** Contacts that were made because nobody had the external_id: who they are, no import of contacts has said. */
  unknown: number
  /** Rows that were taken without something; they are counted above as well. */
  warnings: number
  /** Why rows were rejected, without the rows' own values; the most frequent first. A sync counts lines by the rows it read. */
  reasons: readonly ReasonCount[]
  /** What rows were taken without; a row may be taken without several things. */
  warningReasons: readonly ReasonCount[]
}

/** A row, and what is to be said of it. */
export interface Told {
  readonly line: number
  readonly reason: string
  readonly raw: string
}

/** What merging a chunk of rows came to. */
export interface Merged {
  inserted: number
  updated: number
  /** Rows of contacts that were erased and stay so; of several such rows of one, the first. */
  erased?: number
  /** Contacts that were made of external ids that nobody had. */
  unknown?: number
  /** Rows that could only be refused now, with the reason. */
  refused?: readonly Told[]
  /** Rows of which something was not taken, as was only known now; they are counted above as well. */
  without?: readonly Told[]
}

/** Before the first row. */
export function noRows(): RowCounts {
  return {
    rows: 0,
    inserted: 0,
    updated: 0,
    unchanged: 0,
    erased: 0,
    rejected: 0,
    unknown: 0,
    warnings: 0,
    reasons: [],
    warningReasons: [],
  }
}
