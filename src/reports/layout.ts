import pc from 'picocolors'

// Text in columns: a terminal gives Chinese characters two cells, so lengths are counted in cells.

const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6]/
const MARK = /\p{Mn}/u

/** Terminal cells that `text` (without colours) takes. */
export function cellsOf(text: string): number {
  let cells = 0
  for (const character of text) cells += MARK.test(character) ? 0 : WIDE.test(character) ? 2 : 1
  return cells
}

export interface Column {
  readonly title: string
  readonly align: 'left' | 'right'
}

export const left = (title: string): Column => ({ title, align: 'left' })
export const right = (title: string): Column => ({ title, align: 'right' })

export interface Painter {
  strong(text: string): string
  faint(text: string): string
  good(text: string): string
  bad(text: string): string
}

export function painter(color: boolean): Painter {
  const colors = pc.createColors(color)
  return { strong: colors.bold, faint: colors.dim, good: colors.green, bad: colors.red }
}

/**
 * Rows under their titles, each column as wide as its widest cell; indented by two. A row of one cell is a heading
 * among the rows: it takes the line for itself.
 */
export function table(
  columns: readonly Column[],
  cells: readonly (readonly string[])[],
  paint: Painter,
): string[] {
  const widths = widthsOf(columns, cells)
  const line = (row: readonly string[]) =>
    columns
      .map((column, i) => {
        const text = row[i] ?? ''
        const gap = ' '.repeat((widths[i] ?? 0) - cellsOf(text))
        return column.align === 'left' ? text + gap : gap + text
      })
      .join('  ')
      .trimEnd()
  const titles = columns.some((column) => column.title !== '')
    ? [`  ${paint.faint(line(columns.map((column) => column.title)))}`]
    : []
  return [...titles, ...cells.map((row) => `  ${row.length === 1 ? row[0] : line(row)}`)]
}

/** Cells that wrapped text needs at least: with fewer, it becomes a column of single words. */
const READABLE = 20

/**
 * {@link table} kept to `width` cells. Where it is wider, the text of a last left-aligned column is wrapped beneath
 * itself; where that leaves too little room, each row becomes a paragraph, its values behind their titles.
 */
export function fitted(
  columns: readonly Column[],
  cells: readonly (readonly string[])[],
  paint: Painter,
  width: number,
): string[] {
  const rows = cells.flatMap((row) =>
    row.length === 1 ? wrap(row[0] ?? '', width - 2).map((line) => [line]) : [row],
  )
  if (tableCells(columns, rows) <= width) return table(columns, rows, paint)
  const last = columns.length - 1
  const room = width - tableCells(columns.slice(0, last), rows) - 2
  const text = columns[last]
  if (text?.align === 'left' && room >= Math.max(READABLE, cellsOf(text.title))) {
    const wrapped = rows.flatMap((row) => {
      if (row.length === 1) return [row]
      const [first = '', ...rest] = wrap(row[last] ?? '', room)
      return [[...row.slice(0, last), first], ...rest.map((line) => [...row.slice(0, last).fill(''), line])]
    })
    return table(columns, wrapped, paint)
  }
  const figures = columns.findIndex((column) => column.align === 'right')
  // Where nothing is a figure, the first column names the row; without their titles the others could not be told apart.
  const names = figures === -1 ? 1 : figures
  return rows.flatMap((row) => {
    if (row.length === 1) return [`  ${row[0]}`]
    const parts = columns.flatMap(({ title }, i) => {
      const value = (row[i] ?? '').trim()
      return value === '' ? [] : [i < names || title === '' ? value : `${title} ${value}`]
    })
    return wrap(parts.join(' · '), width - 4).map((line, i) => (i === 0 ? `  ${line}` : `    ${line}`))
  })
}

/** Cells that {@link table} will take, to know what is left for a plot. */
export function tableCells(columns: readonly Column[], cells: readonly (readonly string[])[]): number {
  return widthsOf(columns, cells).reduce((sum, width) => sum + 2 + width, 0)
}

function widthsOf(columns: readonly Column[], cells: readonly (readonly string[])[]): number[] {
  const rows = cells.filter((row) => row.length > 1)
  return columns.map((column, i) =>
    Math.max(cellsOf(column.title), ...rows.map((row) => cellsOf(row[i] ?? ''))),
  )
}

/** What a plot's left and right edge stand for; `low` < `high`. */
export interface Axis {
  readonly low: number
  readonly high: number
  /** Cells. */
  readonly width: number
}

/** The cell a value falls in, kept on the axis. */
function cellOf(axis: Axis, value: number): number {
  const share = (value - axis.low) / (axis.high - axis.low)
  return Math.max(0, Math.min(axis.width - 1, Math.round(share * (axis.width - 1))))
}

/** An interval with its point: `├──●───┤`, and `┊` where zero lies when the axis crosses it. */
export function whiskers(axis: Axis, interval: { low: number; value: number; high: number }): string {
  const cells = Array.from({ length: axis.width }, () => ' ')
  const from = cellOf(axis, interval.low)
  const to = cellOf(axis, interval.high)
  for (let cell = from; cell <= to; cell += 1) cells[cell] = '─'
  cells[from] = '├'
  cells[to] = '┤'
  if (axis.low < 0 && axis.high > 0) {
    const zero = cellOf(axis, 0)
    if (cells[zero] === ' ') cells[zero] = '┊'
    else if (cells[zero] === '─') cells[zero] = '┼'
  }
  cells[cellOf(axis, interval.value)] = '●'
  return cells.join('').trimEnd()
}

// A mark stays with what it opens or closes: no line ends with the one or begins with the other. Nor does a blank break that
// says so, such as between KWD and its amount.
const PIECES =
  /[（《“‘]*(?:[\u3000-\u9fff\uff00-\uffef][，。；：、！？）》”’]*|(?:[^\s\u3000-\u9fff\uff00-\uffef]|[\u00a0\u202f])+[，。；：、！？）》”’]*\s*)|\s+/g

/** Breaks text at spaces (Chinese: anywhere) into lines of at most `width` cells; a line break of its own is a space. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const piece of text.replaceAll(/\s*[\r\n]+\s*/g, ' ').match(PIECES) ?? []) {
    if (line !== '' && cellsOf(line + piece.trimEnd()) > width) {
      lines.push(line.trimEnd())
      line = ''
    }
    line += piece
  }
  if (line.trim() !== '') lines.push(line.trimEnd())
  return lines
}

/** {@link wrap} of an entry among others: what does not fit on its first line is indented by two. */
export function hanging(text: string, width: number): string[] {
  if (cellsOf(text) <= width) return [text]
  return wrap(text, width - 2).map((line, no) => (no === 0 ? line : `  ${line}`))
}
