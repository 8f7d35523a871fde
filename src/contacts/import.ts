import { statSync } from 'node:fs'
import { basename } from 'node:path'
import { ACTIVITY_FIELDS, contactFields } from '../config/import-fields.ts'
import { ownChannels } from '../config/workspace.ts'
import type { Database } from '../database/connect.ts'
import { importSource } from '../database/listings.ts'
import { settingsOf } from '../database/migrate.ts'
import { WinbackError } from '../errors.ts'
import { prepareActivityImport } from './activity.ts'
import { countActivity } from './activity-sums.ts'
import { listedKeys } from './addresses.ts'
import { type Allowed, type Allowing, allow, keptReason } from './allowances.ts'
import {
  type ImportOptions,
  type ImportSummary,
  type ImportWorkspace,
  importFile,
} from './files/file-import.ts'
import type { Getters } from './files/mapping.ts'
import type { Merged, Told } from './files/row-counts.ts'
import type { FileRow, RowValues } from './files/rows.ts'
import { activityWriter, contactWriter, listWriter, partitionsOf } from './files/writers.ts'
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
import { countTypes } from './uncounted-types.ts'
import { mappedDateReader } from './values/dates.ts'
import { compareNumbers } from './whole-numbers.ts'

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
  const { workspace, clock } = options
  const now = clock.now()
  const merge = {
    attributes: workspace.attributes,
    addressKey: (await settingsOf(database)).addressKey,
    now,
    ...linkingOf(workspace),
    hooks: options.hooks ?? {},
  }
  await compareNumbers(database, { ...merge, clock })
  const first = firstImport(merge)
  return importFile(database, file, options, {
    kind: 'contacts',
    fields: contactFields(workspace.attributes),
    required: ['external_id'],
    // Two: while one waits for its turn to look for shared addresses, the other sends and makes contacts.
    lanes: 2,
    exclusive: first,
    open: (getters) => {
      const asOf = asOfOf(file, now, options)
      const { mapping } = options
      const written = { date: mappedDateReader(mapping), decimal: mapping?.decimal }
      return contactWriter(getters, { ...merge, clock, asOf, ...written }, first)
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
  const { clock } = options
  const types = countTypes(options.workspace)
  await countActivity(database, options.workspace, clock.now())
  const summary = await importFile(database, file, options, {
    kind: 'activity',
    fields: ACTIVITY_FIELDS,
    required: ['external_id', 'type', 'occurred_at'],
    lanes: 1,
    prepare: prepareActivityImport,
    open: (getters) =>
      activityWriter(getters, {
        date: mappedDateReader(options.mapping),
        decimal: options.mapping?.decimal,
        clock,
        workspace: options.workspace,
        hooks: options.hooks ?? {},
        heard: types.hear,
        partition: partitionsOf(database),
      }),
  })
  return { ...summary, uncounted: types.uncounted() }
}

/** Imports addresses nothing is to be sent to. Otherwise like {@link importContacts}. */
export async function importSuppressions(
  database: Database,
  file: string,
  options: ImportOptions,
): Promise<ImportSummary> {
  const { addressKey } = await settingsOf(database)
  const { clock } = options
  const hooks = options.hooks ?? {}
  const linking = linkingOf(options.workspace)
  // First: what the list has already was read by other countries.
  await compareNumbers(database, { ...linking, clock, hooks })
  return importFile(database, file, options, {
    kind: 'suppressions',
    fields: SUPPRESSION_FIELDS,
    required: [],
    lanes: 1,
    open: (getters) => {
      const read = addressedReader(getters, options, file)
      const source = importSource(basename(file))
      const reader = (values: RowValues, _row: FileRow, warn: (reason: string) => void) => read(values, warn)
      return listWriter(reader, async (tx, chunk) => {
        const { inserted } = await mergeSuppressions(tx, chunk, {
          now: clock.now(),
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

/** @throws WinbackError `import.mapping` where no column has addresses */
function addressedReader(getters: Getters, { mapping, clock }: ImportOptions, file: string) {
  if (!getters.has('email') && !getters.has('phone')) {
    throw new WinbackError('import.mapping', 'no column is mapped to email or phone', {
      location: { file, line: 1 },
      remedy: 'Map one with --map email=COLUMN.',
    })
  }
  return suppressionReader(getters, { date: mappedDateReader(mapping), latest: () => clock.now().getTime() })
}

/**
 * Takes the addresses of a file off the do-not-contact list, as far as they were put there by mistake: inserted counts those
 * that were, unchanged those that were not on it; the others are refused, each with the reason. Otherwise like
 * {@link importSuppressions}, of which it undoes one.
 */
export async function importAllowances(
  database: Database,
  file: string,
  options: ImportOptions,
  allowing: Omit<Allowing, 'imports'> & { readonly anyImport: boolean },
): Promise<ImportSummary> {
  const { addressKey } = await settingsOf(database)
  const { countries } = linkingOf(options.workspace)
  const imports = allowing.anyImport ? 'any' : { of: basename(file) }
  return importFile(database, file, options, {
    kind: 'allowances',
    fields: SUPPRESSION_FIELDS,
    required: [],
    lanes: 1,
    open: (getters) => {
      const read = addressedReader(getters, options, file)
      return listWriter(
        (values, row, warn) => {
          const entry = read(values, warn)
          return typeof entry === 'string' ? entry : { addresses: entry.addresses, row }
        },
        async (tx, chunk) => {
          const asked = chunk.flatMap(({ addresses }) =>
            addresses.map(({ kind, address }) => ({
              kind,
              keys: listedKeys(addressKey, kind, address, countries),
            })),
          )
          return countAllowed(chunk, await allow(tx, asked, { ...allowing, imports }))
        },
      )
    },
  })
}

/** @param became of each address of the rows, one after the other */
function countAllowed(
  chunk: readonly { readonly row: FileRow; readonly addresses: readonly unknown[] }[],
  became: readonly Allowed[],
): Merged {
  const merged = { inserted: 0, updated: 0, refused: [] as Told[], without: [] as Told[] }
  let at = 0
  for (const { row, addresses } of chunk) {
    const its = became.slice(at, at + addresses.length)
    at += addresses.length
    const lifted = its.some((each) => each.became === 'lifted')
    if (lifted) merged.inserted += 1
    const [kept] = its.flatMap((each) => (each.became === 'kept' ? [keptReason(each)] : []))
    if (kept === undefined) continue
    ;(lifted ? merged.without : merged.refused).push({ line: row.line, reason: kept, raw: row.raw })
  }
  return merged
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
  return importFile(database, file, options, {
    kind: 'sends',
    fields: SEND_FIELDS,
    required: ['external_id', 'channel', 'sent_at'],
    lanes: 1,
    open: (getters) =>
      listWriter(sendReader(getters, migratedLimits(options)), async (tx, chunk) => {
        return { ...(await mergeSends(tx, chunk, options.clock.now())), updated: 0 }
      }),
  })
}

/** Imports the consents another system collected. Otherwise like {@link importSends}. */
export async function importConsents(
  database: Database,
  file: string,
  options: ImportOptions,
): Promise<ImportSummary> {
  const { clock, hooks = {} } = options
  return importFile(database, file, options, {
    kind: 'consents',
    fields: CONSENT_FIELDS,
    required: ['external_id', 'channel', 'decided_at'],
    lanes: 1,
    open: (getters) => {
      const read = consentReader(getters, migratedLimits(options), `import of ${basename(file)}`)
      return listWriter(read, async (tx, chunk) => {
        return { ...(await mergeConsents(tx, chunk, { now: clock.now(), hooks })), updated: 0 }
      })
    },
  })
}

function migratedLimits(options: ImportOptions): MigratedLimits {
  return {
    date: mappedDateReader(options.mapping),
    latest: () => options.clock.now().getTime(),
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

function asOfOf(file: string, now: Date, { asOf, input }: ImportOptions): Date {
  if (asOf) return asOf
  if (input) return now
  const { mtime } = statSync(file)
  return mtime < now ? mtime : now
}
