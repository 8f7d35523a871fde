export interface DiffLine {
  readonly kind: 'same' | 'add' | 'del'
  readonly text: string
}

/** Lines around a change that are shown with it. */
const AROUND = 3

// Who plans sees what an apply would change, and the web what became of a campaign from version to version.

/** What changed between two texts, line by line, by the longest common subsequence; far from changes, `…`. */
export function diffLines(before: string, after: string): DiffLine[] {
  const [a, b] = [linesOf(before), linesOf(after)]
  // length[i][j]: of the longest common subsequence of a from i and b from j. Campaign files have hundreds of lines.
  const width = b.length + 1
  const length = new Uint16Array((a.length + 1) * width)
  const at = (i: number, j: number) => length[i * width + j] ?? 0
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      length[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1))
    }
  }
  const lines: DiffLine[] = []
  let [i, j] = [0, 0]
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      lines.push({ kind: 'same', text: a[i] ?? '' })
      i += 1
      j += 1
    } else if (i < a.length && (j >= b.length || at(i + 1, j) >= at(i, j + 1))) {
      lines.push({ kind: 'del', text: a[i] ?? '' })
      i += 1
    } else {
      lines.push({ kind: 'add', text: b[j] ?? '' })
      j += 1
    }
  }
  return folded(lines)
}

/** However an operating system ends them: a campaign is the same with either, and has the same hash. */
function linesOf(text: string): string[] {
  return text.split(/\r?\n/)
}

function folded(lines: readonly DiffLine[]): DiffLine[] {
  const near = lines.map((_line, at) =>
    lines.slice(Math.max(0, at - AROUND), at + AROUND + 1).some(({ kind }) => kind !== 'same'),
  )
  if (!near.includes(true)) return [...lines]
  return lines.flatMap((line, at) =>
    near[at] ? [line] : near[at - 1] || at === 0 ? [{ kind: 'same', text: '…' } as const] : [],
  )
}
