import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { readDocument } from '../../config/documents/document.ts'
import { problemsOf } from '../../config/documents/issues.ts'
import type { ImportSummary } from '../../contacts/files/file-import.ts'
import { type ImportMapping, importMapping } from '../../contacts/files/mapping.ts'
import {
  importActivity,
  importConsents,
  importContacts,
  importSends,
  importSuppressions,
} from '../../contacts/import.ts'
import { importInterviews } from '../../contacts/interviews.ts'
import { ConfigError, WinbackError, whyUnreadable } from '../../errors.ts'
import { findOffer, importCodes, importRedemptions } from '../../offers/import.ts'
import { REDEMPTION_REFUSALS } from '../../reports/reasons.ts'
import { type Speech, sentence } from '../../reports/words.ts'
import { EXIT } from '../failure.ts'
import { type Spoken, speechIn, spoken } from '../locale.ts'
import { parseMoment } from '../moments.ts'
import type { Outcome } from '../output.ts'
import { openQuietRuntime } from '../quiet-runtime.ts'
import { describe, pairs, repeated, type Start } from '../verb.ts'
import { type DatabaseContext, startInWorkspace } from '../workspace.ts'
import { shown } from '../workspace-file.ts'
import { failedMostly, formatSummary, indexingOf, kindText, rowsOf } from './import-text.ts'
import { knownOffers } from './known-offers.ts'

export interface ImportOptions extends Spoken {
  readonly map?: readonly string[]
  readonly set?: readonly string[]
  readonly mapping?: string
  readonly format?: string
  readonly delimiter?: string
  readonly header?: boolean
  readonly decimal?: string
  readonly dateFormat?: string
  readonly timezone?: string
  readonly encoding?: string
  readonly rejectFile?: string
  readonly asOf?: string
}

const KINDS = {
  contacts: {
    read: importContacts,
    about: 'People: external_id, email, phone, locale, timezone, signed_up_at and the workspace’s attributes',
    example: 'winback import contacts customers.csv.gz --map external_id=customer_id --map email=mail',
    meaning: 'columns named otherwise are mapped; the rest are found by their names',
  },
  activity: {
    read: importActivity,
    about: 'What people did: external_id, type, occurred_at, value, message_id, properties',
    example:
      'winback import activity orders.txt --delimiter whitespace --no-header --map external_id=1 --map occurred_at=3 ' +
      '--map value=5 --set type=order --date-format yyyymmdd',
    meaning: 'columns by number, a date format of its own, and the same type for every row',
  },
  suppressions: {
    read: importSuppressions,
    about: 'Addresses never to write to: email or phone, reason',
    example: 'winback import suppressions optouts.csv --set reason=unsubscribe',
    meaning: 'one column `email` is enough then',
  },
  consents: {
    read: importConsents,
    about:
      'Who agreed to what: external_id, channel, decision (given or withdrawn), decided_at, wording, source, proof',
    example: 'winback import consents optins.csv --set channel=sms --map decided_at=opted_in_at',
    meaning: 'consents another system collected, each with its time',
  },
  sends: {
    read: importSends,
    about: 'What another system sent: external_id, channel, sent_at, topic',
    example: 'winback import sends history.csv.gz --map sent_at=delivered',
    meaning: 'so that caps and `reentry.unanswered` count it',
  },
  interviews: {
    read: importInterviews,
    about: 'Why people stay away, from interviews and surveys: external_id, reason, said_at, note',
    example: 'winback import interviews survey.csv --map reason=why --map said_at=answered',
    meaning:
      'codes of the list or their words; the Reasons report counts them with calls, replies and opt-outs',
  },
  redemptions: {
    read: importRedemptions,
    about: 'Offers that were used: code, or external_id and offer; redeemed_at, value, key',
    example: 'winback import redemptions used.csv --map code=coupon --map key=order_id',
    meaning: 'the same file twice changes nothing; what is refused is in the reject file, with the reason',
  },
} as const

type Kind = keyof typeof KINDS

/** In the place of a file: what another program writes. */
const PIPED = '-'
/** What that is called: by its record, its suppressions, and the file of its bad rows. */
const PIPED_NAME = 'standard-input'

export function importData(start: Start): Command {
  const command = describe('import', {
    group: 'data',
    summary:
      'Read contacts, activity, suppressions, consents, sends, codes, redemptions or interviews from a file',
    description:
      'CSV or NDJSON, gzip too. The same file twice changes nothing; one that was interrupted is simply imported ' +
      'again.\nA bad row goes to the reject file with its line and the reason, and stops nothing.',
    examples: [
      ...Object.values(KINDS).map(({ example, meaning }) => [example, meaning] as const),
      ['winback import codes five_off codes.csv', 'each code is given to one account, once'],
      ['psql shop --csv -f customers.sql | winback import contacts -', 'what another program writes'],
    ],
  })
  for (const kind of Object.keys(KINDS) as Kind[]) {
    const { about, read } = KINDS[kind]
    fileOptions(command.command(kind).description(`${about}.`)).action(
      (file: string, options: ImportOptions, child: Command) =>
        startInWorkspace(start, child, (context) => runImport(context, kind, read, file, options)),
    )
  }
  const codes = fileOptions(
    command
      .command('codes')
      .description('Codes to give out with an offer of `codes: imported`: code, expires_at.')
      .argument('<offer>', 'its name, or CAMPAIGN.NAME where several campaigns have one'),
  )
  codes.action((offer: string, file: string, options: ImportOptions, child: Command) =>
    startInWorkspace(start, child, async (context) => {
      const place = findOffer(offer, await knownOffers(context))
      const read: ReadFile = (database, path, given) =>
        importCodes(database, path, { ...given, offer: place })
      return await runImport(context, 'codes', read, file, options)
    }),
  )
  return command
}

function fileOptions(command: Command): Command {
  return mappingOptions(
    command.argument('<file>', 'CSV or NDJSON, by its ending; .gz too; - for standard input'),
  )
    .option('--reject-file <file>', 'where bad rows go (default: FILE.rejects.csv)')
    .option(
      '--as-of <time>',
      'when the file was true, for attributes that age (default: when it was last modified; now, of standard input)',
    )
}

/** How a file is written. */
export function mappingOptions(command: Command): Command {
  return spoken(command)
    .option(
      '--map <field=column>',
      'which column is which field: by name, number or NDJSON path, two by Date+Time; repeatable',
      repeated,
    )
    .option('--set <field=value>', 'a field that is the same in every row; repeatable', repeated)
    .option('--mapping <file>', 'all of this in a YAML or JSON file')
    .option('--format <format>', 'csv or ndjson (default: by the file’s ending)')
    .option('--delimiter <character>', 'between columns: a character, `tab` or `whitespace` (default: ,)')
    .option('--no-header', 'the first line is data; map columns by number')
    .option('--encoding <name>', 'such as gbk, gb18030, windows-1252, utf-16le (default: UTF-8)')
    .option('--decimal <character>', 'before the cents: `,` where amounts are written 1.234,50 (default: .)')
    .option(
      '--date-format <format>',
      'such as yyyymmdd, dd.mm.yyyy hh:mi, dd-mon-yyyy, epoch or epoch-ms (default: ISO 8601)',
    )
    .option('--timezone <zone>', 'of dates without one (default: the workspace’s)')
}

type ReadFile = (...given: Parameters<typeof importContacts>) => Promise<ImportSummary>

/** Flags over the mapping file, where both say something. @throws ConfigError, WinbackError `usage.…` */
export async function readMapping(cwd: string, options: ImportOptions): Promise<ImportMapping> {
  const base = options.mapping === undefined ? {} : await readMappingFile(resolve(cwd, options.mapping))
  const flags = {
    ...(options.format === undefined ? {} : { format: options.format }),
    ...(options.delimiter === undefined
      ? {}
      : { delimiter: options.delimiter === 'tab' ? '\t' : options.delimiter }),
    ...(options.header === false ? { header: false } : {}),
    ...(options.timezone === undefined ? {} : { timezone: options.timezone }),
    ...(options.encoding === undefined ? {} : { encoding: options.encoding }),
    ...(options.decimal === undefined ? {} : { decimal: options.decimal }),
    ...(options.dateFormat === undefined ? {} : { date_format: options.dateFormat }),
    ...(options.map ? { fields: { ...base.fields, ...pairs('--map', options.map) } } : {}),
    ...(options.set ? { set: { ...base.set, ...pairs('--set', options.set) } } : {}),
  }
  const parsed = importMapping.safeParse({ ...base, ...flags })
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new WinbackError(
    'usage.mapping',
    `--${String(issue?.path[0] ?? 'map').replace('_', '-')}: ${issue?.message ?? ''}`,
  )
}

async function readMappingFile(file: string): Promise<ImportMapping> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new WinbackError('import.mapping', `${shown(file)} cannot be read: ${whyUnreadable(cause)}`, {
      remedy: 'Check the path given as --mapping.',
      cause,
    })
  })
  const document = readDocument(shown(file), text)
  if (document.problems.length > 0) throw new ConfigError(document.problems)
  const parsed = importMapping.safeParse(document.value)
  if (parsed.success) return parsed.data
  throw new ConfigError(problemsOf(parsed.error.issues, document, document.value, importMapping))
}

async function runImport(
  context: DatabaseContext,
  kind: ImportSummary['kind'],
  read: ReadFile,
  file: string,
  options: ImportOptions,
): Promise<Outcome<ImportSummary>> {
  const { database, clock, cwd, interrupt, loaded, output } = context
  const piped = file === PIPED
  const path = shown(resolve(cwd, piped ? PIPED_NAME : file))
  // A shop's system exports what its clocks showed.
  const mapping = { timezone: loaded.definition.timezone, ...(await readMapping(cwd, options)) }
  const speech = speechIn(context, options)
  const refused = new Map<string, number>()
  const { hooks } = await openQuietRuntime(context, {
    onRefused: (reasons) => {
      for (const [reason, times] of Object.entries(reasons))
        refused.set(reason, (refused.get(reason) ?? 0) + times)
    },
  })
  const progress = output.progress(
    `${speech.language === 'en' ? 'Importing ' : '正在导入'}${kindText(kind, speech)}`,
  )
  // Who writes may be silent for long.
  const stopReading = () => void process.stdin.destroy()
  if (piped) interrupt.addEventListener('abort', stopReading, { once: true })
  try {
    const summary = await read(database, path, {
      mapping,
      clock,
      workspace: loaded.definition,
      hooks,
      ...(piped && { input: process.stdin }),
      ...(options.rejectFile === undefined ? {} : { rejectFile: resolve(cwd, options.rejectFile) }),
      ...(options.asOf === undefined
        ? {}
        : { asOf: parseMoment('--as-of', options.asOf, loaded.definition.timezone) }),
      onProgress: ({ rows, bytes, totalBytes, indexing }) => {
        interrupt.throwIfAborted()
        progress.update(bytes, totalBytes, indexing ? indexingOf(rows, speech) : rowsOf(rows, speech))
      },
    })
    // A file of which nothing could be used was the wrong file, or is read the wrong way: a script has to notice.
    const useless = summary.rows > 0 && summary.rejected === summary.rows
    const failed = failedMostly(summary, speech)
    if (failed !== undefined) output.warn(failed)
    if (summary.rows === 0) output.warn(emptyWords(path, speech))
    if (summary.changed) output.warn(changedWords(path, speech))
    if (refused.size > 0) output.warn(refusedWords(refused, speech))
    return {
      data: summary,
      text: formatSummary(summary, speech, output.width),
      exitCode: useless ? EXIT.input : EXIT.fine,
    }
  } catch (error) {
    interrupt.throwIfAborted()
    throw error
  } finally {
    interrupt.removeEventListener('abort', stopReading)
    progress.finish()
  }
}

/** A header at most: told apart from a file that was imported before, of which nothing is new either. */
function emptyWords(path: string, { language }: Speech): string {
  return language === 'en'
    ? `${path} has no rows, so nothing came in: mostly an export that found nothing, or was not yet done`
    : `${path} 中没有数据行，未导入任何数据：多为导出结果为空或尚未完成`
}

/** Mostly an export that was not yet done. */
function changedWords(path: string, { language }: Speech): string {
  return language === 'en'
    ? `${path} changed while it was read: once it is whole, import it again; what was taken in is not taken in twice`
    : `读取期间 ${path} 有改动：请在文件写完后重新导入，已导入的不会重复导入`
}

/** Events that told of redemptions which are none: kept with their reason, and nobody else says so. */
function refusedWords(refused: ReadonlyMap<string, number>, { language }: Speech): string {
  const reasons = [...refused].map(([reason, times]) => {
    const words = sentence(REDEMPTION_REFUSALS, reason, language)
    return language === 'en' ? `${times} ${words}` : `${words} ${times} 次`
  })
  return language === 'en'
    ? `redemptions refused: ${reasons.join('; ')}. \`winback report offers\` counts them, \`winback explain\` has each`
    : `核销被拒：${reasons.join('；')}。\`winback report offers\` 有统计，\`winback explain\` 有明细`
}
