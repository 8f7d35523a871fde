import { resolve } from 'node:path'
import type { Command } from 'commander'
import { maskEmail, maskPhone } from '../../config/masking.ts'
import { normaliseEmail, normalisePhone } from '../../contacts/addresses.ts'
import type { ReasonCount } from '../../contacts/files/reject-reasons.ts'
import { importAllowances } from '../../contacts/import.ts'
import type { Listing } from '../../database/listings.ts'
import { WinbackError } from '../../errors.ts'
import { SUPPRESSIONS } from '../../reports/reasons.ts'
import { sourceText } from '../../reports/source-words.ts'
import { sentence } from '../../reports/words.ts'
import { allowAddress } from '../../service/allowing.ts'
import { EXIT } from '../failure.ts'
import { sayIn, speechIn } from '../locale.ts'
import type { Outcome } from '../output.ts'
import { openQuietRuntime } from '../quiet-runtime.ts'
import { describe, type Start } from '../verb.ts'
import { type DatabaseContext, startInWorkspace } from '../workspace.ts'
import { shown } from '../workspace-file.ts'
import { type ImportOptions, mappingOptions, readMapping } from './import.ts'
import { formatSummary, kindText, rowsOf } from './import-text.ts'

interface AllowOptions extends ImportOptions {
  readonly file?: string
  readonly anyImport?: boolean
  readonly bounced?: boolean
  readonly dryRun?: boolean
}

export function allow(start: Start): Command {
  const command = describe('allow', {
    group: 'care',
    summary: 'Take addresses off the do-not-contact list that were put there by mistake',
    description:
      'What files put there goes. What a person did (unsubscribed, complained) stays, as does an erasure; what bounced ' +
      'goes only where that is asked for. Of a file, what an import of a file of its name put there goes.',
    examples: [
      ['winback allow li@shop.example', 'one address or number, whichever file put it there'],
      [
        'winback allow --file customers.csv --dry-run',
        'it was imported as suppressions: says what would go, and why the rest stays',
      ],
      ['winback allow --file mended.csv --any-import --bounced', 'addresses of a list of your own'],
    ],
  })
    .argument('[address]', 'an e-mail address or a number')
    .option('--file <file>', 'many: CSV or NDJSON with columns email or phone; .gz too')
    .option('--any-import', 'of a file: what other files put there, too')
    .option('--bounced', 'what bounced for good, and wrong numbers, too')
    .option('--dry-run', 'change nothing, and say what would come of it')
  return mappingOptions(command)
    .option('--reject-file <file>', 'where rows go that stay on the list (default: FILE.kept.csv)')
    .action((address: string | undefined, options: AllowOptions, command: Command) =>
      startInWorkspace(start, command, (context) => runAllow(context, address, options)),
    )
}

async function runAllow(
  context: DatabaseContext,
  address: string | undefined,
  options: AllowOptions,
): Promise<Outcome> {
  const { file } = options
  if ((address === undefined) === (file === undefined)) {
    throw new WinbackError('usage.allow', 'one address is wanted, or --file with many', {
      remedy: 'winback allow li@shop.example, or winback allow --file wrong.csv',
    })
  }
  return address === undefined ? allowFile(context, file ?? '', options) : allowOne(context, address, options)
}

/** What came of one address. */
interface AllowedOne {
  readonly address: string
  readonly became: 'lifted' | 'absent'
  readonly was: readonly Listing[]
  readonly dryRun: boolean
}

async function allowOne(
  context: DatabaseContext,
  text: string,
  options: AllowOptions,
): Promise<Outcome<AllowedOne>> {
  const kind = text.includes('@') ? 'email' : 'phone'
  const known = kind === 'email' ? normaliseEmail(text) : normalisePhone(text)
  if (known === undefined) {
    throw new WinbackError('usage.address', `"${text}" is neither an address nor a number`, {
      remedy:
        '`winback explain CONTACT --unmasked` has the addresses of a contact; a file of many is given as --file FILE.',
    })
  }
  const { bounced = false, dryRun = false } = options
  const runtime = await openQuietRuntime(context)
  const became = await allowAddress(runtime, { kind, text }, { bounced, dryRun })
  const address = kind === 'email' ? maskEmail(known) : maskPhone(known)
  const speech = speechIn(context, options)
  const say = sayIn(speech)
  if (became.became === 'absent') {
    const data = { address, became: 'absent', was: [], dryRun } as const
    return {
      data,
      text: say(`${address} is not on the do-not-contact list.`, `${address} 不在禁止联系名单中。`),
    }
  }
  // Its spellings were put there together.
  const said = [
    ...new Set(
      became.was.map(({ reason, source }) => {
        const why = sentence(SUPPRESSIONS, reason, speech.language)
        return say(`${why} (${source})`, `${why}（${sourceText(source, speech)}）`)
      }),
    ),
  ].join(say('; ', '；'))
  return {
    data: { address, became: 'lifted', was: became.was, dryRun },
    text: dryRun
      ? say(
          `${address} would be taken off the do-not-contact list. It is there because: ${said}.`,
          `${address} 将移出禁止联系名单。在名单中的原因：${said}。`,
        )
      : say(
          `${address} is off the do-not-contact list. It was there because: ${said}.\n` +
            'What was skipped meanwhile stays skipped.',
          `${address} 已移出禁止联系名单。此前的原因：${said}。\n期间跳过的消息不会补发。`,
        ),
  }
}

/** What came of a file. */
interface AllowedFile {
  readonly file: string
  readonly rows: number
  readonly lifted: number
  /** Not on the list. */
  readonly absent: number
  /** Rows that stay on it, or cannot be read. */
  readonly kept: number
  readonly reasons: readonly ReasonCount[]
  /** Rows of which one address went and the other stayed. */
  readonly partly: number
  readonly partlyReasons: readonly ReasonCount[]
  readonly keptFile: string | null
  readonly dryRun: boolean
}

async function allowFile(
  context: DatabaseContext,
  file: string,
  options: AllowOptions,
): Promise<Outcome<AllowedFile>> {
  const { database, clock, cwd, interrupt, loaded, output } = context
  const path = shown(resolve(cwd, file))
  const { anyImport = false, bounced = false, dryRun = false } = options
  const mapping = { timezone: loaded.definition.timezone, ...(await readMapping(cwd, options)) }
  const speech = speechIn(context, options)
  const say = sayIn(speech)
  const progress = output.progress(kindText('allowances', speech))
  try {
    const summary = await importAllowances(
      database,
      path,
      {
        mapping,
        clock,
        workspace: loaded.definition,
        rejectFile: options.rejectFile === undefined ? `${path}.kept.csv` : resolve(cwd, options.rejectFile),
        onProgress: ({ rows, bytes, totalBytes }) => {
          interrupt.throwIfAborted()
          progress.update(bytes, totalBytes, rowsOf(rows, speech))
        },
      },
      { anyImport, bounced, dryRun },
    )
    const { rows, inserted, unchanged, rejected, reasons, warnings, warningReasons } = summary
    const nothing = say('Nothing was changed.', '未做任何更改。')
    return {
      data: {
        file: path,
        rows,
        lifted: inserted,
        absent: unchanged,
        kept: rejected,
        reasons,
        partly: warnings,
        partlyReasons: warningReasons,
        keptFile: summary.rejectFile ?? null,
        dryRun,
      },
      text: formatSummary(summary, speech, output.width) + (dryRun ? `\n${nothing}` : ''),
      exitCode: rows > 0 && rejected === rows ? EXIT.refused : EXIT.fine,
    }
  } finally {
    progress.finish()
  }
}
