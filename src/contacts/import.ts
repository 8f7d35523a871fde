import { statSync } from 'node:fs'
import { basename } from 'node:path'
import { ACTIVITY_FIELDS, contactFields } from '../config/import-fields.ts'
import { ownChannels } from '../config/workspace.ts'
import type { Database } from '../database/connect.ts'
import { settingsOf } from '../database/migrate.ts'
import { WinbackError } from '../errors.ts'
import { prepareActivityImport } from './activity.ts'
import { mappedDateReader } from './dates.ts'
import { type ImportOptions, type ImportSummary, type ImportWorkspace, importFile } from './file-import.ts'
import { firstImport } from './first-import.ts'
import {
  CONSENT_FIELDS,
  consentReader,
  type MigratedLimits,
  mergeConsents,
  mergeSends,
  SEND_FIELDS,
  sendReader,
} from './migrated.ts'
import { linkingOf } from './persons.ts'
import { mergeSuppressions, SUPPRESSION_FIELDS, suppressionReader } from './suppressions.ts'
import { compareNumbers } from './whole-numbers.ts'
import { activityWriter, contactWriter, listWriter, partitionsOf } from './writers.ts'

/**
 * Imports contacts from a CSV or NDJSON file, perhaps gzipped: new ones are made, known ones get the columns the
 * file carries, persons are linked. The same file again changes nothing; an interrupted import is run again. Bad
 * rows go to the reject file and stop nothing.
 * @throws WinbackError `import.unreadable`, `import.mapping`, `import.options`
 */
export async function importContacts(
  database: Database,
  file: string,
  options: ImportOptions,
): Promise<ImportSummary> {
  const { workspace } = options
  const now = options.clock.now()
  const merge = {
    attributes: workspace.attributes,
    addressKey: (await settingsOf(database)).addressKey,
    now,
    ...linkingOf(workspace),
    hooks: options.hooks ?? {},
  }
  await compareNumbers(database, merge)
  const first = firstImport(merge)
  return importFile(database, file, options, {
    kind: 'contacts',
    fields: contactFields(workspace.attributes),
    required: ['external_id'],
    // Two: while one waits for its turn to look for shared addresses, the other sends and makes contacts.
    lanes: 2,
    exclusive: first,
    open: (getters) => {
      const asOf = asOfOf(file, now, options.asOf)
      const { mapping } = options
      const written = { date: mappedDateReader(mapping), decimal: mapping?.decimal }
      return contactWriter(getters, { ...merge, asOf, ...written }, first)
    },
  })
}

/**
 * Imports activity. An external id nobody knows becomes a contact without a sign-up date. Otherwise like
 * {@link importContacts}.
 */
export async function importActivity(
  database: Database,
  file: string,
  options: ImportOptions,
): Promise<ImportSummary> {
  const now = options.clock.now()
  return importFile(database, file, options, {
    kind: 'activity',
    fields: ACTIVITY_FIELDS,
    required: ['external_id', 'type', 'occurred_at'],
    lanes: 1,
    prepare: prepareActivityImport,
    open: (getters) =>
      activityWriter(getters, {
        date: mappedDateReader(options.mapping),
        decimal: options.mapping?.decimal,
        now,
        workspace: options.workspace,
        hooks: options.hooks ?? {},
        partition: partitionsOf(database),
      }),
  })
}

/** Imports addresses nothing is to be sent to. Otherwise like {@link importContacts}. */
export async function importSuppressions(
  database: Database,
  file: string,
  options: ImportOptions,
): Promise<ImportSummary> {
  const { addressKey } = await settingsOf(database)
  const now = options.clock.now()
  const hooks = options.hooks ?? {}
  const linking = linkingOf(options.workspace)
  // First: what the list has already was read by other countries.
  await compareNumbers(database, { ...linking, now, hooks })
  return importFile(database, file, options, {
    kind: 'suppressions',
    fields: SUPPRESSION_FIELDS,
    required: [],
    lanes: 1,
    open: (getters) => {
      if (!getters.has('email') && !getters.has('phone')) {
        throw new WinbackError('import.mapping', 'no column is mapped to email or phone', {
          location: { file, line: 1 },
          remedy: 'Map one with --map email=COLUMN.',
        })
      }
      const read = suppressionReader(getters, {
        date: mappedDateReader(options.mapping),
        latest: now.getTime(),
      })
      const source = `import of ${basename(file)}`
      return listWriter(read, async (tx, chunk) => {
        const { inserted } = await mergeSuppressions(tx, chunk, {
          now,
          addressKey,
          countries: linking.countries,
          source,
          hooks,
        })
        return { inserted, updated: 0 }
      })
    },
  })
}

/**
 * Imports what another system sent, so that caps and sunset count it; the same file again changes nothing. Otherwise
 * like {@link importActivity}.
 */
export async function importSends(
  database: Database,
  file: string,
  options: ImportOptions,
): Promise<ImportSummary> {
  const now = options.clock.now()
  return importFile(database, file, options, {
    kind: 'sends',
    fields: SEND_FIELDS,
    required: ['external_id', 'channel', 'sent_at'],
    lanes: 1,
    open: (getters) =>
      listWriter(sendReader(getters, migratedLimits(options, now)), async (tx, chunk) => {
        return { ...(await mergeSends(tx, chunk, now)), updated: 0 }
      }),
  })
}

/** Imports the consents another system collected. Otherwise like {@link importSends}. */
export async function importConsents(
  database: Database,
  file: string,
  options: ImportOptions,
): Promise<ImportSummary> {
  const now = options.clock.now()
  const hooks = options.hooks ?? {}
  return importFile(database, file, options, {
    kind: 'consents',
    fields: CONSENT_FIELDS,
    required: ['external_id', 'channel', 'decided_at'],
    lanes: 1,
    open: (getters) => {
      const read = consentReader(getters, migratedLimits(options, now), `import of ${basename(file)}`)
      return listWriter(read, async (tx, chunk) => {
        return { ...(await mergeConsents(tx, chunk, { now, hooks })), updated: 0 }
      })
    },
  })
}

function migratedLimits(options: ImportOptions, now: Date): MigratedLimits {
  return {
    date: mappedDateReader(options.mapping),
    latest: now.getTime(),
    channels: channelNames(options.workspace),
  }
}

/** The channels somebody can be sent to, and agree to: one that is not set up yet counts, one that is mistyped does not. */
export function channelNames({ channels, outside }: Pick<ImportWorkspace, 'channels' | 'outside'>): string[] {
  return [...new Set([...Object.keys(channels ?? {}), ...(outside?.keys() ?? []), ...CHANNELS])]
}

/**
 * What another system may have sent on, whether or not the workspace does: `letter` is one by post, for which there is no
 * channel here. `log` is missing, for it reaches nobody.
 */
const CHANNELS = [...Object.keys(ownChannels.shape).filter((name) => name !== 'log'), 'letter']

function asOfOf(file: string, now: Date, given: Date | undefined): Date {
  if (given) return given
  const { mtime } = statSync(file)
  return mtime < now ? mtime : now
}
