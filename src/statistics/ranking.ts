/** A foreseen score, what then happened, and how many were alike. */
export interface ForeseenScore {
  readonly score: number
  readonly happened: number
  readonly count: number
}

/**
 * Area under the ROC curve: the probability that somebody to whom it happened was given a higher score than somebody
 * to whom it did not, ties counting half (Mann and Whitney). NaN where it happened to nobody or to everybody.
 * @param foreseen `happened` of `count` people with this score
 */
export function areaUnderCurve(foreseen: readonly ForeseenScore[]): number {
  const sorted = [...foreseen].sort((a, b) => a.score - b.score)
  let [won, yes, no] = [0, 0, 0]
  for (let start = 0; start < sorted.length; ) {
    const score = sorted[start]?.score
    let end = start
    let [tiedYes, tiedNo] = [0, 0]
    for (; end < sorted.length && sorted[end]?.score === score; end += 1) {
      tiedYes += sorted[end]?.happened ?? 0
      tiedNo += (sorted[end]?.count ?? 0) - (sorted[end]?.happened ?? 0)
    }
    won += tiedYes * (no + tiedNo / 2)
    yes += tiedYes
    no += tiedNo
    start = end
  }
  return won / (yes * no)
}

/** Foreseen against seen, for a part of the people. */
export interface CalibrationRow {
  readonly people: number
  /** Mean of the scores. */
  readonly foreseen: number
  /** Share to whom it happened. */
  readonly seen: number
}

/** People by score in parts of about equal size, the lowest first; the same score never falls into two parts. */
export function calibrate(foreseen: readonly ForeseenScore[], parts = 10): CalibrationRow[] {
  const sorted = [...foreseen].sort((a, b) => a.score - b.score)
  const people = sorted.reduce((sum, { count }) => sum + count, 0)
  const groups: { people: number; scores: number; happened: number }[] = []
  let group = { people: 0, scores: 0, happened: 0 }
  let before = 0
  for (const [index, { score, count, happened }] of sorted.entries()) {
    group.people += count
    group.scores += score * count
    group.happened += happened
    before += count
    const full = before >= ((groups.length + 1) * people) / parts
    if (full && sorted[index + 1]?.score !== score) {
      groups.push(group)
      group = { people: 0, scores: 0, happened: 0 }
    }
  }
  if (group.people > 0) groups.push(group)
  return groups.map((each) => ({
    people: each.people,
    foreseen: each.scores / each.people,
    seen: each.happened / each.people,
  }))
}
