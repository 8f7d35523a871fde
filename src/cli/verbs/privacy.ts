import { type Command, Option } from 'commander'
import { nearest } from '../../config/nearest-name.ts'
import { consentHistory, consentStates, recordConsents } from '../../contacts/consent.ts'
import { findContact } from '../../contacts/external-ids.ts'
import { channelNames } from '../../contacts/import.ts'
import { readChoice } from '../../contacts/preferences.ts'
import { exportContact, exportCsv } from '../../contacts/privacy/export.ts'
import { transaction } from '../../database/connect.ts'
import { WinbackError } from '../../errors.ts'
import type { Speech } from '../../reports/words.ts'
import { openLinks, preferencesUrl } from '../../service/links.ts'
import { countSharing, eraseEverywhere } from '../../service/privacy.ts'
import { type Ask, terminal } from '../confirm.ts'
import { type Spoken, sayIn, speechIn, spoken } from '../locale.ts'
import { operator } from '../operator.ts'
import { type Outcome, toJson } from '../output.ts'
import { openQuietRuntime } from '../quiet-runtime.ts'
import { bounded, describe, type Start } from '../verb.ts'
import { type DatabaseContext, startInWorkspace } from '../workspace.ts'
import { formatConsent } from './consent-text.ts'
import { rowsOf } from './import-text.ts'

interface ConsentOptions extends Spoken {
  readonly give?: string
  readonly withdraw?: string
  readonly wording?: string
  readonly source?: string
  readonly proof?: string
}

export function consent(start: Start): Command {
  const command = describe('consent', {
    group: 'care',
    summary: 'Show what a contact agreed to and chose, or record it',
    description:
      'The record is append-only. A withdrawal holds before the next send, for all accounts of the person.',
    examples: [
      ['winback consent u000123', 'the record, the latest choice, and the link to their own page'],
      ['winback consent u000123 --withdraw sms --source "call of 3 May"', 'they said stop on the telephone'],
      [
        'winback consent u000123 --give sms --wording v3 --source "shop, paper form" --proof "form 1734"',
        'they signed',
      ],
    ],
  })
  return spoken(command)
    .argument('<contact>', 'external id')
    .addOption(new Option('--give <channel>', 'record that consent was given').conflicts('withdraw'))
    .option('--withdraw <channel>', 'record that consent was withdrawn')
    .option('--wording <version>', 'version of the words that were agreed to', bounded('--wording', 'note'))
    .option('--source <text>', 'where it happened (default: who records it)', bounded('--source', 'line'))
    .option('--proof <text>', 'what shows it', bounded('--proof', 'note'))
    .action((contact: string, options: ConsentOptions, command: Command) =>
      startInWorkspace(start, command, (context) => runConsent(context, contact, options)),
    )
}

async function runConsent(
  context: DatabaseContext,
  externalId: string,
  options: ConsentOptions,
): Promise<Outcome> {
  const { database, clock, loaded } = context
  const contactId = await findContact(database, externalId)
  const now = clock.now()
  const channel = options.give ?? options.withdraw
  if (channel !== undefined) {
    assertChannel(channel, channelNames(loaded.definition))
    const { hooks } = await openQuietRuntime(context)
    const { wording = null, source = operator(), proof = null } = options
    const decision = options.give === undefined ? 'withdrawn' : 'given'
    await transaction(database, (tx) =>
      recordConsents(tx, [{ contactId, channel, decision, decidedAt: now, wording, source, proof }], {
        now,
        hooks,
      }),
    )
  }
  const records = (await consentHistory(database, contactId)).map(({ contactId: _id, ...record }) => record)
  const states = await consentStates(database, contactId, now)
  const choice = (await readChoice(database, contactId, now)) ?? null
  const links = await openLinks(database, loaded.definition)
  const link = links && preferencesUrl(links, contactId)
  const text = formatConsent({ states, records, choice, link }, speechIn(context, options))
  return { data: { states, records, choice, link: link ?? null }, text }
}

/** A withdrawal on a channel that does not exist would hold nothing back, and say it did. @throws WinbackError `usage.channel` */
function assertChannel(channel: string, names: readonly string[]): void {
  if (names.includes(channel)) return
  const near = nearest(channel, names)
  throw new WinbackError('usage.channel', `there is no channel "${channel}"`, {
    remedy: `${near === undefined ? '' : `Did you mean ${near}? `}There are ${names.join(', ')}.`,
  })
}

export function exportPerson(start: Start): Command {
  return describe('export', {
    group: 'care',
    summary: 'Print everything held about one contact',
    examples: [
      ['winback export u000123 > u000123.json', 'for a request for access'],
      ['winback export u000123 --format csv > u000123.csv', 'one value a line, for a spreadsheet'],
    ],
  })
    .argument('<contact>', 'external id')
    .addOption(new Option('--format <format>', 'of the text').choices(['json', 'csv']).default('json'))
    .action((contact: string, options: { format: 'json' | 'csv' }, command: Command) =>
      startInWorkspace(start, command, async ({ database, loaded }) => {
        const contactId = await findContact(database, contact)
        const held = await exportContact(database, contactId, loaded.definition)
        const text = options.format === 'csv' ? exportCsv(held).trimEnd() : toJson(held)
        return { data: held, text, file: true }
      }),
    )
}

export function erase(start: Start): Command {
  const command = describe('erase', {
    group: 'care',
    summary: 'Erase one contact for good',
    description:
      'Removes the contact from tables, rehearsals and reject files. Keyed hashes stay, so that no import brings them ' +
      'back, and arm and outcome under a random id, so that reports still add up. There is no way back, so it asks first.',
    examples: [
      ['winback erase u000123', 'asks, and erases'],
      ['winback erase u000123 --yes', 'without asking, for a script'],
    ],
  })
  return spoken(command)
    .argument('<contact>', 'external id')
    .option('--yes', 'do not ask')
    .action((contact: string, options: EraseOptions, command: Command) =>
      startInWorkspace(start, command, (context) => runErase(context, contact, options)),
    )
}

interface EraseOptions extends Spoken {
  readonly yes?: boolean
}

async function runErase(
  context: DatabaseContext,
  externalId: string,
  options: EraseOptions,
): Promise<Outcome> {
  const { database } = context
  await findContact(database, externalId)
  const speech = speechIn(context, options)
  const say = sayIn(speech)
  const sharing = await countSharing(database, externalId)
  await confirmErase(externalId, sharing, options.yes === true, terminal(context), speech)
  const runtime = await openQuietRuntime(context)
  const erasure = await eraseEverywhere(runtime, externalId)
  if (!erasure) return { data: null, text: say('Erased already.', '此前已删除。') }
  const total = (counts: Readonly<Record<string, number>>) =>
    Object.values(counts).reduce((sum, each) => sum + each, 0)
  const { files, rehearsals, blotted } = erasure
  const [removed, kept] = [rowsOf(total(erasure.removed), speech), rowsOf(total(erasure.kept), speech)]
  const texts = `${speech.count(blotted)} ${blotted === 1 ? 'text' : 'texts'}`
  const lines = [
    say(
      `Erased: ${removed} removed, ${kept} kept under a random id.`,
      `已删除 ${removed}，另有 ${kept}以随机编号保留。`,
    ),
    blotted > 0
      ? say(
          `${texts} of operators named them: blotted.`,
          `操作人员写下的 ${speech.count(blotted)} 处提及已涂去。`,
        )
      : undefined,
    files.rows > 0
      ? say(
          `${rowsOf(files.rows, speech)} taken out of reject files.`,
          `已从拒收文件中移除 ${rowsOf(files.rows, speech)}。`,
        )
      : undefined,
    rehearsals.length > 0
      ? say(`Rehearsals too: ${rehearsals.join(', ')}.`, `演练数据也已删除：${rehearsals.join('、')}。`)
      : undefined,
    ...files.elsewhere.map((file) =>
      say(
        `Not on this machine, look into it where the import ran: ${file}`,
        `以下文件不在本机，请在执行导入的机器上检查：${file}`,
      ),
    ),
    say('Your own files and backups are yours to look into.', '您自己的文件和备份请自行检查。'),
  ]
  return { data: erasure, text: lines.filter((line) => line !== undefined).join('\n') }
}

/** @throws WinbackError `usage.confirm` where nobody can be asked, or another answer was given */
async function confirmErase(
  externalId: string,
  sharing: number,
  yes: boolean,
  ask: Ask | undefined,
  speech: Speech,
): Promise<void> {
  if (yes) return
  const accounts = sharing === 1 ? 'other account' : 'other accounts'
  const stay = sharing === 1 ? 'stays; erase it' : 'stay; erase each'
  const others = sharing > 0 ? ` ${sharing} ${accounts} of the same person ${stay} by its own id.` : ''
  if (!ask) {
    throw new WinbackError('usage.confirm', `erasing a contact has no way back.${others}`, {
      remedy: 'Add --yes if that is meant; `winback consent CONTACT --withdraw CHANNEL` only stops messages.',
    })
  }
  const theirs = sharing > 0 ? `同一人的另外 ${sharing} 个账号会保留，请按各自的编号删除。` : ''
  const answer = await ask(
    sayIn(speech)(
      `Erasing has no way back.${others}\nType the contact’s external id to erase it: `,
      `删除后无法恢复。${theirs}\n输入联系人编号以确认删除：`,
    ),
  )
  if (answer.trim() === externalId) return
  throw new WinbackError('usage.confirm', 'nothing was erased: the external id was not typed')
}
