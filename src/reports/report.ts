import type { ChannelTitles } from './channel-words.ts'
import type { Readable } from './snapshot.ts'
import type { Phrase } from './words.ts'

// The seam of reports: a question becomes data, read from the database and judged by src/statistics. How data is
// shown is another matter: JSON is the data itself, text is one renderer a report. A report is one file beside
// this one, one line in reports.ts, and one test.

export interface Report<Question, Data> {
  readonly name: string
  readonly title: Phrase
  /** Reads with aggregates made in SQL: memory does not grow with the number of contacts. */
  read(readable: Readable, question: Question): Promise<Data>
  /** Data as text for a terminal. */
  format(data: Data, style: TextStyle): string
}

/** How text is written. */
export interface TextStyle {
  /** BCP 47; words come in English and Chinese, numbers and dates in any locale. */
  readonly locale: string
  /** ISO 4217. */
  readonly currency: string
  /** IANA zone of the dates; UTC by default. */
  readonly timezone?: string | undefined
  /** What channels from outside are called; others go by their names. */
  readonly channels?: ChannelTitles | undefined
  readonly color: boolean
  /** Columns of the terminal. */
  readonly width: number
}
