import { resolve } from 'node:path'
import { type Command, Option } from 'commander'
import { nearest } from '../../config/nearest-name.ts'
import { delimiterHint } from '../../contacts/files/mapping.ts'
import { type FileRow, openRows } from '../../contacts/files/rows.ts'
import { numberReader } from '../../contacts/values/numbers.ts'
import { yesOrNo } from '../../contacts/values/yes-or-no.ts'
import { WinbackError } from '../../errors.ts'
import {
  type ArmSums,
  addRow,
  type ExperimentResult,
  emptySums,
  judgeExperiment,
} from '../../reports/lift/experiment.ts'
import { formatExperiment } from '../../reports/lift/experiment-text.ts'
import { EXIT } from '../failure.ts'
import { chooseLocale, sayIn } from '../locale.ts'
import { count, type Outcome } from '../output.ts'
import { steady } from '../steady.ts'
import { describe, type Invocation, pairs, type Start } from '../verb.ts'
import { shown } from '../workspace-file.ts'

interface LiftOptions {
  readonly arm: string
  readonly control: string
  readonly outcome: string
  readonly covariate?: string
  readonly cost?: string
  readonly value?: string
  readonly split?: string
  readonly delimiter?: string
  readonly encoding?: string
  readonly decimal?: string
  readonly locale?: string
}

export function lift(start: Start): Command {
  return describe('lift', {
    group: 'look',
    summary: 'What an experiment showed: any file with groups and an outcome',
    description:
      'One row a person: the group it was drawn into, and what came of it (0 and 1, yes and no, or an amount). Needs ' +
      'neither a workspace nor a database. Every group is compared with the control; with several, p is adjusted for ' +
      'their number (Holm). Rows that cannot be read are named and left out.',
    examples: [
      [
        'winback lift last-campaign.csv --arm group --control none --outcome bought',
        'who bought, of all in each group',
      ],
      [
        'winback lift spring.csv --arm variant --control A --outcome revenue --covariate revenue_before',
        'an amount, steadied by what the same people spent before',
      ],
      [
        'winback lift spring.csv --arm group --control none --outcome back --cost cost --value 40 --split none=10,mail=90',
        'what one more costs, what it is worth, and whether the groups have the sizes they should have',
      ],
    ],
  })
    .argument('<file>', 'CSV (or NDJSON), with a header; .gz too')
    .requiredOption('--arm <column>', 'the group of each row')
    .requiredOption('--control <name>', 'the group that was left alone, or got what is usual')
    .requiredOption('--outcome <column>', 'what came of it: 0 or 1, yes or no, or a number')
    .option('--covariate <column>', 'a number known before the groups were drawn, such as earlier spend')
    .option('--cost <column>', 'what each row cost')
    .option('--value <amount>', 'what one more of the outcome is worth, in the unit of --cost')
    .option('--split <name=share,…>', 'shares the groups were drawn with: checks whether they are right')
    .option('--delimiter <character>', 'between columns (default: , or a tab in .tsv)')
    .option('--encoding <name>', 'such as gbk (default: UTF-8)')
    .addOption(
      new Option(
        '--decimal <character>',
        'before the cents: `,` where amounts are written 1.234,50 (default: .)',
      ).choices(['.', ',']),
    )
    .option('--locale <locale>', 'en or zh-CN, or a variant (default: this machine’s)')
    .action((file: string, options: LiftOptions, command: Command) =>
      start(command, (invocation) => runLift(invocation, file, options)),
    )
}

export interface LiftResult extends ExperimentResult {
  readonly file: string
  readonly rows: number
  readonly bad: { readonly count: number; readonly first: readonly BadRow[] }
}

interface BadRow {
  readonly line: number
  readonly reason: string
}

/** Groups an experiment may have; a column with more is no column of groups. */
const MOST_ARMS = 50
const NAMED = 10

async function runLift(
  invocation: Invocation,
  name: string,
  options: LiftOptions,
): Promise<Outcome<LiftResult>> {
  const file = resolve(invocation.cwd, name)
  const { output } = invocation
  const locale = chooseLocale(options.locale)
  const value = options.value === undefined ? undefined : numberOption('--value', options.value)
  const split = options.split === undefined ? undefined : splitOf(options.split)
  const read = await readExperiment(invocation, file, options)
  if (!read.arms.has(options.control) && read.arms.size > 0) {
    const known = [...read.arms.keys()]
    const meant = nearest(options.control, known)
    throw new WinbackError(
      'lift.control',
      `no row of ${shown(file)} has ${options.arm} = "${options.control}"`,
      {
        remedy: meant ? `Did you mean "${meant}"?` : `The groups are: ${known.join(', ')}.`,
        facts: { groups: known },
      },
    )
  }
  const result = judgeExperiment({
    arms: read.arms,
    control: options.control,
    rates: read.rates,
    covariate: options.covariate !== undefined,
    cost: options.cost !== undefined,
    split,
    value,
  })
  const data = { file: shown(file), rows: read.rows, bad: { count: read.bad, first: read.named }, ...result }
  if (read.arms.size === 0) {
    return { data, text: `${shown(file)}: no row could be used\n${badRows(data)}`, exitCode: EXIT.input }
  }
  const style = {
    locale,
    currency: 'EUR',
    color: output.colors.isColorSupported,
    width: output.width,
  }
  const text = formatExperiment(result, options.outcome, style)
  return { data, text: data.bad.count > 0 ? `${text}\n\n${badRows(data)}` : text }
}

function badRows({ bad, rows }: LiftResult): string {
  const lines = bad.first.map(({ line, reason }) => `  line ${line}: ${reason}`)
  const more =
    bad.count > lines.length ? [`  and ${(bad.count - lines.length).toLocaleString('en')} more`] : []
  return [`Left out: ${count(bad.count, 'row')} of ${rows.toLocaleString('en')}`, ...lines, ...more].join(
    '\n',
  )
}

interface Read {
  readonly arms: Map<string, ArmSums>
  readonly rates: boolean
  readonly rows: number
  readonly bad: number
  readonly named: BadRow[]
}

/** Streams the file into sums by arm, in order of name; memory holds one batch, whatever the file's size. */
async function readExperiment(invocation: Invocation, file: string, options: LiftOptions): Promise<Read> {
  const source = openRows(file, {
    delimiter: options.delimiter === 'tab' ? '\t' : options.delimiter,
    encoding: options.encoding,
  })
  const say = sayIn(invocation.output)
  const progress = steady(
    invocation.output.progress(say('Reading', '正在读取'), { total: source.totalBytes }),
  )
  const arms = new Map<string, ArmSums>()
  const named: BadRow[] = []
  let rows = 0
  let bad = 0
  let rates = true
  let pick: ((row: FileRow) => Picked | string) | undefined
  try {
    for await (const batch of source.batches()) {
      invocation.interrupt.throwIfAborted()
      for (const row of batch) {
        if (row.values !== undefined && Array.isArray(row.values) && row.values.length === 0) continue
        if (pick === undefined) {
          pick = pickerOf(row, source.format === 'csv', options, file)
          if (source.format === 'csv') continue
        }
        rows += 1
        const found = row.problem ?? pick(row)
        if (typeof found === 'string') {
          bad += 1
          if (named.length < NAMED) named.push({ line: row.line, reason: found })
          continue
        }
        if (found.outcome !== 0 && found.outcome !== 1) rates = false
        addRow(armOf(arms, found.arm, options, file), found.outcome, found.covariate, found.cost)
      }
      progress.update(source.bytesRead(), source.totalBytes, say(count(rows, 'row'), `${rows} 行`))
    }
  } finally {
    progress.finish()
  }
  return { arms: new Map([...arms].sort(([a], [b]) => a.localeCompare(b))), rates, rows, bad, named }
}

function armOf(arms: Map<string, ArmSums>, arm: string, options: LiftOptions, file: string): ArmSums {
  let sums = arms.get(arm)
  if (!sums) {
    if (arms.size >= MOST_ARMS) {
      throw new WinbackError(
        'lift.arms',
        `${options.arm} of ${shown(file)} has more than ${MOST_ARMS} values`,
        {
          remedy: 'Name the column that says which group a row belongs to.',
        },
      )
    }
    sums = emptySums()
    arms.set(arm, sums)
  }
  return sums
}

interface Picked {
  readonly arm: string
  readonly outcome: number
  readonly covariate: number
  readonly cost: number
}

/** How a row becomes its values: by the header's places, or by an object's keys. Returns what is wrong as text. */
function pickerOf(
  header: FileRow,
  csv: boolean,
  options: LiftOptions,
  file: string,
): (row: FileRow) => Picked | string {
  if (csv && header.problem !== undefined) {
    throw new WinbackError('lift.column', `the header of ${shown(file)} cannot be read: ${header.problem}`, {
      location: { file, line: header.line },
    })
  }
  const columns = csv && Array.isArray(header.values) ? header.values.map((name: string) => name.trim()) : []
  const reader = (column: string) => {
    const place = columns.indexOf(column)
    if (csv && place === -1) {
      const meant = nearest(column, columns)
      throw new WinbackError('lift.column', `${shown(file)} has no column "${column}"`, {
        location: { file, line: header.line },
        remedy: meant
          ? `Did you mean "${meant}"?`
          : (delimiterHint(columns) ?? `Its columns are: ${columns.join(', ')}.`),
      })
    }
    return ({ values }: FileRow): unknown =>
      Array.isArray(values) ? values[place] : (values as Record<string, unknown> | undefined)?.[column]
  }
  const arm = reader(options.arm)
  const decimal = options.decimal === ',' ? ',' : '.'
  const amount = (column: string) => {
    const read = reader(column)
    return (row: FileRow): number | string => {
      const found = amountOf(read(row), decimal)
      return typeof found === 'number' ? found : `${column} ${found}`
    }
  }
  const outcome = amount(options.outcome)
  const covariate = options.covariate === undefined ? () => 0 : amount(options.covariate)
  const cost = options.cost === undefined ? () => 0 : amount(options.cost)
  return (row) => {
    const found = Array.isArray(row.values) ? row.values.length : 0
    // Of a row that is shorter, a spreadsheet has left away what is empty at its end.
    const whole = row.unended || options.delimiter === 'whitespace'
    if (csv && (found > columns.length || (whole && found < columns.length))) {
      return `${count(found, 'column')} where the header has ${columns.length}`
    }
    const group = String(arm(row) ?? '').trim()
    if (group === '') return `${options.arm} is empty`
    const [y, x, c] = [outcome(row), covariate(row), cost(row)]
    if (typeof y === 'string') return y
    if (typeof x === 'string') return x
    if (typeof c === 'string') return c
    return { arm: group, outcome: y, covariate: x, cost: c }
  }
}

/** A number, or what is wrong with it. An empty outcome is no "no": who wrote the file must say so. */
function amountOf(value: unknown, decimal: '.' | ','): number | string {
  if (typeof value === 'boolean') return value ? 1 : 0
  const text = String(value ?? '').trim()
  if (text === '') return 'is empty; write 0 where nothing came of it'
  const said = yesOrNo(text)
  const known = said === undefined ? numberReader(decimal)(value) : Number(said)
  if (known !== undefined) return known
  const hint =
    decimal === '.' && numberReader(',')(value) !== undefined
      ? '; for a comma before the cents, say --decimal ,'
      : ''
  return `"${text}" is not a number${hint}`
}

function splitOf(text: string): Map<string, number> {
  const shares = Object.entries(pairs('--split', text.split(',')))
  return new Map(
    shares.map(([arm, share]) => [arm.trim(), numberOption('--split', share.trim().replace(/%$/, ''))]),
  )
}

function numberOption(option: string, text: string): number {
  const value = Number(text)
  if (text === '' || !Number.isFinite(value) || value < 0) {
    throw new WinbackError('usage.number', `${option} wants a number, found "${text}"`)
  }
  return value
}
