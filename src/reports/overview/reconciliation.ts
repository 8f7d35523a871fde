import { ARMS, type Arm } from '../effect.ts'
import type { AnswerCell } from '../people-sql.ts'
import type { LadderCheck } from './messages-sql.ts'

// Does everyone who was considered have exactly one answer, and every step of every treated stage exactly one
// touchpoint? Computed, never assumed.

export interface Reconciliation {
  readonly runs: { readonly done: number; readonly running: number; readonly refused: number }
  /** Contacts a run looked at; one that was looked at on three days counts three times. */
  readonly considered: number
  readonly opened: number
  /** Considered and not taken in, by reason; most first. */
  readonly leftOut: readonly { readonly answer: string; readonly contacts: number }[]
  /** Opened as the runs counted them, and as episodes are there. */
  readonly arms: readonly { readonly arm: Arm; readonly opened: number; readonly episodes: number }[]
  readonly ladder: LadderCheck
  readonly holds: boolean
  /** What is off, and by how much; empty where everything adds up. */
  readonly off: readonly Discrepancy[]
}

export interface Discrepancy {
  readonly kind: 'episodes' | 'unknown_arm' | 'missing' | 'unexpected' | 'repeated'
  readonly count: number
  /** The arm it is about, where it is about one. */
  readonly arm?: string
  /** External id of one such contact, for `winback explain`. */
  readonly contact?: string | undefined
}

/** @param episodes episodes there are, by arm, without seeds */
export function reconcile(
  runs: Reconciliation['runs'],
  answers: readonly AnswerCell[],
  episodes: Readonly<Record<Arm, number>>,
  ladder: LadderCheck,
): Reconciliation {
  const left = new Map<string, number>()
  const openedIn = { treated: 0, holdout: 0, control: 0 }
  const off: Discrepancy[] = []
  let considered = 0
  let opened = 0
  for (const { answer, arm, contacts } of answers) {
    considered += contacts
    if (answer !== 'opened') {
      left.set(answer, (left.get(answer) ?? 0) + contacts)
      continue
    }
    opened += contacts
    const known = ARMS.find((name) => name === arm)
    if (known) openedIn[known] += contacts
    else off.push({ kind: 'unknown_arm', count: contacts, arm })
  }
  const arms = ARMS.map((arm) => ({ arm, opened: openedIn[arm], episodes: episodes[arm] }))
  for (const row of arms) {
    if (row.opened !== row.episodes) {
      off.push({ kind: 'episodes', count: row.episodes - row.opened, arm: row.arm })
    }
  }
  for (const kind of ['missing', 'unexpected', 'repeated'] as const) {
    const contact = ladder[`${kind}Contact`] ?? undefined
    if (ladder[kind] > 0) off.push({ kind, count: ladder[kind], contact })
  }
  return {
    runs,
    considered,
    opened,
    leftOut: [...left]
      .map(([answer, contacts]) => ({ answer, contacts }))
      .sort((a, b) => b.contacts - a.contacts || a.answer.localeCompare(b.answer)),
    arms,
    ladder,
    holds: off.length === 0,
    off,
  }
}
