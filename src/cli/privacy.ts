import { type Command, Option } from 'commander'
import { consentHistory, consentStates, recordConsents } from '../contacts/consent.ts'
import { exportContact, exportCsv } from '../contacts/export.ts'
import { readChoice } from '../contacts/preferences.ts'
import { transaction } from '../database/connect.ts'
import { WinbackError } from '../errors.ts'
import { openLinks, preferencesUrl } from '../service/links.ts'
import { countSharing, eraseEverywhere } from '../service/privacy.ts'
import { openRuntime } from '../service/runtime.ts'
import { findContact } from '../touchpoints/preview.ts'
import { type Ask, terminal } from './confirm.ts'
import { momentWriter } from './moments.ts'
import { operator } from './operator.ts'
import { count, type Outcome, toJson } from './output.ts'
import { describe, type Start } from './verb.ts'
import { type DatabaseContext, withWorkspace } from './workspace.ts'

interface ConsentOptions {
  readonly give?: string
  readonly withdraw?: string
  readonly wording?: string
  readonly source?: string
  readonly proof?: string
}

export function consent(start: Start): Command {
  return describe('consent', {
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
    .argument('<contact>', 'external id')
    .addOption(new Option('--give <channel>', 'record that consent was given').conflicts('withdraw'))
    .option('--withdraw <channel>', 'record that consent was withdrawn')
    .option('--wording <version>', 'version of the words that were agreed to')
    .option('--source <text>', 'where it happened (default: who records it)')
    .option('--proof <text>', 'what shows it')
    .action((contact: string, options: ConsentOptions, command: Command) =>
      start(command, (invocation) =>
        withWorkspace(invocation, (context) => runConsent(context, contact, options)),
      ),
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
    const { hooks } = await openRuntime({
      database,
      workspace: loaded.definition,
      clock,
      channels: new Map(),
    })
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
  const at = momentWriter(loaded.definition.timezone)
  const lines = [
    ...states.map((each) => `${each.channel}: ${each.state}`),
    ...(states.length === 0 ? ['Nothing was ever agreed to or withdrawn.'] : []),
    ...records.map((record) =>
      [
        `  ${at(record.decidedAt)}  ${record.channel} ${record.decision}, ${record.source}`,
        record.wording === null ? '' : `, wording ${record.wording}`,
        record.proof === null ? '' : `, proof: ${record.proof}`,
      ].join(''),
    ),
    choice === null
      ? 'They have chosen nothing: everything is wanted.'
      : `Chosen ${at(choice.chosenAt)} (${choice.source}): ${wordsOf(choice, at)}`,
    link === undefined
      ? 'Set `web.url` in winback.yaml to give them a page of their own.'
      : `Their page: ${link}`,
  ]
  return { data: { states, records, choice, link: link ?? null }, text: lines.join('\n') }
}

function wordsOf(
  choice: NonNullable<Awaited<ReturnType<typeof readChoice>>>,
  at: (moment: Date) => string,
): string {
  const parts = [
    ...choice.channelsOff.map((name) => (name === '*' ? 'nothing at all' : `nothing by ${name}`)),
    ...choice.topicsOff.map((name) => `nothing about ${name}`),
    ...(choice.frequency
      ? [`at most ${choice.frequency.atMost} in ${choice.frequency.withinDays} days`]
      : []),
    ...(choice.pausedUntil ? [`nothing before ${at(choice.pausedUntil)}`] : []),
  ]
  return parts.length === 0 ? 'everything is wanted' : parts.join('; ')
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
      start(command, (invocation) =>
        withWorkspace(invocation, async ({ database, loaded }) => {
          const contactId = await findContact(database, contact)
          const held = await exportContact(database, contactId, loaded.definition)
          return { data: held, text: options.format === 'csv' ? exportCsv(held).trimEnd() : toJson(held) }
        }),
      ),
    )
}

export function erase(start: Start): Command {
  return describe('erase', {
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
    .argument('<contact>', 'external id')
    .option('--yes', 'do not ask')
    .action((contact: string, options: { yes?: boolean }, command: Command) =>
      start(command, (invocation) =>
        withWorkspace(invocation, (context) => runErase(context, contact, options.yes === true)),
      ),
    )
}

async function runErase(context: DatabaseContext, externalId: string, yes: boolean): Promise<Outcome> {
  const { database, clock, loaded } = context
  await findContact(database, externalId)
  await confirmErase(externalId, await countSharing(database, externalId), yes, terminal(context))
  const runtime = await openRuntime({ database, workspace: loaded.definition, clock, channels: new Map() })
  const erasure = await eraseEverywhere(runtime, externalId)
  if (!erasure) return { data: null, text: 'Erased already.' }
  const total = (counts: Readonly<Record<string, number>>) =>
    Object.values(counts).reduce((sum, each) => sum + each, 0)
  const { files, rehearsals } = erasure
  return {
    data: erasure,
    text: [
      `Erased: ${count(total(erasure.removed), 'row')} removed, ${count(total(erasure.kept), 'row')} kept under a random id.`,
      ...(erasure.blotted > 0 ? [`${count(erasure.blotted, 'text')} of operators named them: blotted.`] : []),
      ...(files.rows > 0 ? [`${count(files.rows, 'row')} taken out of reject files.`] : []),
      ...(rehearsals.length > 0 ? [`Rehearsals too: ${rehearsals.join(', ')}.`] : []),
      ...files.elsewhere.map((file) => `Not on this machine, look into it where the import ran: ${file}`),
      'Your own files and backups are yours to look into.',
    ].join('\n'),
  }
}

/** @throws WinbackError `usage.confirm` where nobody can be asked, or another answer was given */
export async function confirmErase(
  externalId: string,
  sharing: number,
  yes: boolean,
  ask: Ask | undefined,
): Promise<void> {
  if (yes) return
  const others =
    sharing > 0
      ? ` ${count(sharing, 'other account')} of the same person stay; erase each by its own id.`
      : ''
  if (!ask) {
    throw new WinbackError('usage.confirm', `erasing a contact has no way back.${others}`, {
      remedy: 'Add --yes if that is meant; `winback consent CONTACT --withdraw CHANNEL` only stops messages.',
    })
  }
  const answer = await ask(`Erasing has no way back.${others}\nType the contact’s external id to erase it: `)
  if (answer.trim() === externalId) return
  throw new WinbackError('usage.confirm', 'nothing was erased: the external id was not typed')
}
