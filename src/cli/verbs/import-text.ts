import type { ImportSummary } from '../../contacts/files/file-import.ts'
import type { UnusedColumn } from '../../contacts/files/mapping.ts'
import type { ReasonCount } from '../../contacts/files/reject-reasons.ts'
import type { RowCounts } from '../../contacts/files/row-counts.ts'
import type { UncountedType } from '../../contacts/uncounted-types.ts'
import { IMPORT_WORDS } from '../../reports/import-words.ts'
import { hanging } from '../../reports/layout.ts'
import type { Phrase, Phrases, Speech } from '../../reports/words.ts'
import { rejectText } from './reject-words.ts'

// What came of an import, in words.

const KINDS: Phrases<ImportSummary['kind']> = IMPORT_WORDS

/** What becomes of rows, where it is not to come in. */
const OUTCOMES: Partial<
  Record<ImportSummary['kind'], { inserted: Phrase; unchanged: Phrase; refused: Phrase }>
> = {
  allowances: {
    inserted: { en: 'off the do-not-contact list', 'zh-CN': '移出禁止联系名单' },
    unchanged: { en: 'not on it', 'zh-CN': '不在名单中' },
    refused: { en: 'left alone', 'zh-CN': '保持不变' },
  },
}

/** What a file is of, in words. */
export function kindText(kind: ImportSummary['kind'], { language }: Pick<Speech, 'language'>): string {
  return KINDS[kind][language]
}

/** Reasons named in a summary at most; `--json` has more of them, the reject file all. */
const NAMED_REASONS = 5
/** Types named in a summary at most. */
const NAMED_TYPES = 5
/** Columns named in a summary at most. */
const NAMED_COLUMNS = 12

/** `3 rows`, `3 行`. */
export function rowsOf(rows: number, { language, count }: Speech): string {
  return language === 'en' ? `${count(rows)} ${rows === 1 ? 'row' : 'rows'}` : `${count(rows)} 行`
}

/** Every row is read, and a first import is about to end. */
export function indexingOf(rows: number, speech: Speech): string {
  const read = rowsOf(rows, speech)
  return speech.language === 'en' ? `${read}, building the indexes` : `${read}，正在建立索引`
}

/**
 * What came in, in a few lines; why the rest did not, and where it is.
 * @param unfiled stands where the reject file would, where there is none
 */
export function formatSummary(
  summary: ImportSummary,
  speech: Speech,
  width: number,
  unfiled = speech.language === 'en' ? ': see the reject file' : '：见拒收文件',
): string {
  const { kind, file, rows, inserted, updated, unchanged, erased, rejected, warnings, seconds, rejectFile } =
    summary
  const en = speech.language === 'en'
  const comma = en ? ', ' : '，'
  const speed = speech.count(Math.round(rows / seconds))
  const rate = seconds > 0.5 ? (en ? `, ${speed} a second` : `，每秒 ${speed} 行`) : ''
  const part = (rows: number, words: Phrase) =>
    rows > 0 ? [en ? `${speech.count(rows)} ${words.en}` : `${words['zh-CN']} ${speech.count(rows)}`] : []
  const parts = [
    ...part(inserted, OUTCOMES[kind]?.inserted ?? { en: 'new', 'zh-CN': '新增' }),
    ...part(updated, { en: 'updated', 'zh-CN': '更新' }),
    ...part(unchanged, OUTCOMES[kind]?.unchanged ?? { en: 'known already', 'zh-CN': '已有' }),
    ...part(erased, { en: 'erased and not taken in again', 'zh-CN': '已按要求删除、不再导入' }),
  ]
  const refused = OUTCOMES[kind]?.refused ?? { en: 'rejected', 'zh-CN': '被拒收' }
  const every = en
    ? `every row ${refused.en} (${speech.count(rejected)})`
    : `全部 ${rowsOf(rejected, speech)}${refused['zh-CN']}`
  const some = en
    ? `${rowsOf(rejected, speech)} ${refused.en}`
    : `${rowsOf(rejected, speech)}${refused['zh-CN']}`
  const without = en
    ? `${rowsOf(warnings, speech)} taken without something`
    : `${rowsOf(warnings, speech)}导入时略去了部分内容`
  const said = [
    ...(rejected > 0 ? [rejected === rows ? every : some] : []),
    ...(warnings > 0 ? [without] : []),
  ]
  const took = seconds.toFixed(1)
  const filed = rejectFile === undefined ? unfiled : en ? `: see ${rejectFile}` : `：见 ${rejectFile}`
  return [
    en
      ? `${file}: ${rowsOf(rows, speech)} of ${kindText(kind, speech)} in ${took} s${rate}`
      : `${file}：${kindText(kind, speech)} ${rowsOf(rows, speech)}，用时 ${took} 秒${rate}`,
    ...(parts.length > 0 ? [`  ${parts.join(comma)}`] : []),
    ...(summary.unknown > 0
      ? hanging(unknownText(summary.unknown, speech), width - 2).map((line) => `  ${line}`)
      : []),
    ...(said.length > 0 ? [`  ${said.join(comma)}${filed}`] : []),
    ...reasonLines([...summary.reasons, ...summary.warningReasons], speech, width),
    ...(summary.unused.length > 0 ? [unusedLine(summary.unused, en)] : []),
    ...(summary.uncounted.length > 0
      ? hanging(uncountedText(summary.uncounted, speech), width - 2).map((line) => `  ${line}`)
      : []),
  ].join('\n')
}

/** Mostly the order of two files; but where ids of one are written otherwise in the other, whoever buys looks lost. */
function unknownText(unknown: number, { language, count }: Speech): string {
  return language === 'en'
    ? `${count(unknown)} ${unknown === 1 ? 'contact' : 'contacts'} nobody knew: without address or name until an import of contacts has the same external_id`
    : `${count(unknown)} 位此前未知的联系人：在联系人导入中出现相同的 external_id 之前，没有地址和姓名`
}

/** The most frequent reasons, each with how many rows it concerns and where one of them is. */
function reasonLines(reasons: readonly ReasonCount[], speech: Speech, width: number): string[] {
  const en = speech.language === 'en'
  const named = reasons.slice(0, NAMED_REASONS)
  const more = reasons.slice(NAMED_REASONS)
  const figures = named.map(({ rows }) => speech.count(rows))
  const cells = Math.max(0, ...figures.map((figure) => figure.length))
  const lines = named.flatMap(({ reason, line }, no) => {
    const words = en ? reason : rejectText(reason)
    const where = en ? ` (line ${line})` : `（第 ${line} 行）`
    const text = hanging(`${words}${where}`, width - 6 - cells)
    return text.map((each, part) => `    ${(part === 0 ? (figures[no] ?? '') : '').padStart(cells)}  ${each}`)
  })
  if (more.length === 0) return lines
  const rest = speech.count(more.reduce((sum, { rows }) => sum + rows, 0))
  return [...lines, en ? `    and ${rest} for other reasons` : `    另有 ${rest} 行因其他原因`]
}

/** What it mostly is where one reason goes through a file. The first that matches. */
const LIKELY: readonly (readonly [reason: RegExp, words: Phrase])[] = [
  [
    /expected .*columns/,
    {
      en: 'the columns are separated by something else (--delimiter), or the first line is no header (--no-header)',
      'zh-CN': '列分隔符不是逗号（--delimiter），或首行不是表头（--no-header）',
    },
  ],
  [
    /quote/,
    {
      en: 'quotes are not used as CSV has them, or the columns are separated by something else (--delimiter)',
      'zh-CN': '引号不符合 CSV 规范，或列分隔符不是逗号（--delimiter）',
    },
  ],
  [
    /UTF-8|--encoding/,
    { en: 'the file is in another encoding (--encoding)', 'zh-CN': '文件不是该编码（--encoding）' },
  ],
  [
    /JSON/,
    {
      en: 'the file has not one JSON object a line; a CSV is read with --format csv',
      'zh-CN': '文件不是每行一个 JSON 对象；CSV 请用 --format csv',
    },
  ],
  [
    /lies in the future/,
    {
      en: 'the times are of another zone (--timezone) or written another way (--date-format)',
      'zh-CN': '时间属于其他时区（--timezone），或写法不同（--date-format）',
    },
  ],
  [
    /is not a date|date that exists/,
    {
      en: 'dates are written another way (--date-format), or another column is the date (--map)',
      'zh-CN': '日期写法不同（--date-format），或日期在另一列（--map）',
    },
  ],
  [
    /nobody has the external_id/,
    {
      en: 'these people are not here yet (winback import contacts), or another column has their ids (--map)',
      'zh-CN': '这些人尚未导入（winback import contacts），或编号在另一列（--map）',
    },
  ],
  [
    /is not (?:an amount|a number); .* --decimal ,$/,
    {
      en: 'amounts are written with a comma before the cents (--decimal ,)',
      'zh-CN': '金额以逗号作小数点（--decimal ,）',
    },
  ],
  [
    /there is no |there is neither |is empty|is not an? |is none of|is neither |is no amount/,
    {
      en: 'another column was meant (--map), or the source writes it another way',
      'zh-CN': '应取另一列（--map），或来源系统的写法不同',
    },
  ],
]

/** What of {@link LIKELY} names an option: a query has none of them. */
const OPTION = /\s?[(（]--[^)）]*[)）]/g

/**
 * That an import went wrong as a whole, said where more than half the rows were rejected: a bad row is nothing, a bad file
 * is no file of bad rows. Undefined where it went well enough.
 * @param of what the rows are
 */
export function failedMostly(
  { rows, rejected, reasons }: Pick<RowCounts, 'rows' | 'rejected' | 'reasons'>,
  speech: Speech,
  of: 'file' | 'query' = 'file',
): string | undefined {
  if (rejected * 2 <= rows) return undefined
  const en = speech.language === 'en'
  const [first] = reasons
  const whole = first !== undefined && first.rows * 2 > rejected
  const likely = whole
    ? LIKELY.find(([reason]) => reason.test(first.reason))?.[1][speech.language]
    : undefined
  const all = rejected === rows
  const figures = `${speech.count(rejected)} / ${speech.count(rows)}`
  const what = en
    ? all
      ? `every row was rejected (${speech.count(rows)}), nothing came in`
      : `more than half the rows were rejected (${figures})`
    : all
      ? `全部 ${speech.count(rows)} 行被拒收，没有任何数据导入`
      : `超过一半的行被拒收（${figures}）`
  if (likely !== undefined) {
    const cause = of === 'file' ? likely : likely.replaceAll(OPTION, '')
    return en ? `${what}: probably ${cause}` : `${what}：很可能是${cause}`
  }
  if (of === 'query') return en ? `${what}: look at the query` : `${what}：请检查查询`
  return en ? `${what}: look at the file before the next step` : `${what}：请先检查文件，再进行下一步`
}

/** Whoever did these things alone looks as if they did nothing, and is written to. */
function uncountedText(uncounted: readonly UncountedType[], { language, count }: Speech): string {
  const en = language === 'en'
  const named = uncounted.slice(0, NAMED_TYPES).map(({ type, rows, meant }) => {
    const hint = meant === undefined ? '' : en ? ` (did you mean ${meant}?)` : `（是否指 ${meant}？）`
    return en ? `${count(rows)} ${type}${hint}` : `${type} ${count(rows)} 行${hint}`
  })
  const more = uncounted.length - named.length
  const rest = more > 0 ? (en ? ` and ${more} more types` : ` 等另外 ${more} 种`) : ''
  return en
    ? `not counted as activity: ${named.join(', ')}${rest}; what is belongs under \`activity\` in winback.yaml`
    : `未计为活跃行为：${named.join('，')}${rest}；应计入的类型请写入 winback.yaml 的 \`activity\``
}

function unusedLine(unused: readonly UnusedColumn[], en: boolean): string {
  const named = unused.slice(0, NAMED_COLUMNS).map(({ column, meant, number }) => {
    if (meant === undefined) return column
    if (number !== undefined) {
      const other = `--map ${meant}=${number}`
      return en
        ? `column ${number}, another ${column} (the first was read; for this one, ${other})`
        : `第 ${number} 列，也叫 ${column}（读的是第一个；要读这一列：${other}）`
    }
    const flag = `--map ${meant}=${column}`
    return en ? `${column} (did you mean ${meant}? ${flag})` : `${column}（是否指 ${meant}？${flag}）`
  })
  const more = unused.length - named.length
  const rest = more > 0 ? (en ? ` and ${more} more` : ` 等另外 ${more} 列`) : ''
  return en ? `  not used: ${named.join(', ')}${rest}` : `  未使用的列：${named.join('，')}${rest}`
}
