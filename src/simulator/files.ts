import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { SimulatedAct } from './acts.ts'
import type { Population } from './population.ts'
import type { SimulatedActivity } from './world.ts'

/** What a shop would export, for the importer to read. */
export interface SimulatedFiles {
  readonly contacts: string
  readonly activity: string
  readonly suppressions: string
}

/** Writes the population and its history as CSV files into `folder`, which is made. Times in UTC. */
export async function writeFiles(
  folder: string,
  population: Population,
  history: readonly SimulatedActivity[],
  acts: readonly SimulatedAct[] = [],
): Promise<SimulatedFiles> {
  await mkdir(folder, { recursive: true })
  const files = {
    contacts: join(folder, 'contacts.csv'),
    activity: join(folder, 'activity.csv'),
    suppressions: join(folder, 'suppressions.csv'),
  }
  await writeFile(
    files.contacts,
    csv(
      ['external_id', 'email', 'phone', 'locale', 'timezone', 'signed_up_at', 'status', 'first_name'],
      population.people.map((person) => [
        person.externalId,
        person.email,
        person.phone,
        person.locale,
        person.timezone,
        stamp(person.signedUpAt),
        person.status,
        person.firstName,
      ]),
    ),
  )
  await writeFile(
    files.activity,
    csv(
      ['external_id', 'type', 'occurred_at', 'value', 'properties'],
      [
        ...history.map(({ externalId, type, at, value }) => [externalId, type, stamp(at), value, null]),
        ...acts.map(({ externalId, type, at, properties }) => [
          externalId,
          type,
          stamp(at),
          null,
          `"${JSON.stringify(properties).replaceAll('"', '""')}"`,
        ]),
      ],
    ),
  )
  const unsubscribed = population.people.filter((person) => person.unsubscribed && person.email !== null)
  await writeFile(
    files.suppressions,
    csv(
      ['email', 'reason'],
      unsubscribed.map((person) => [person.email, 'unsubscribe']),
    ),
  )
  return files
}

function stamp(at: number): string {
  return new Date(at).toISOString()
}

// Only properties hold a comma or a quote, and come quoted: ids, dates, zones and the simulator's own names do not.
function csv(header: readonly string[], lines: readonly (readonly (string | number | null)[])[]): string {
  return [header, ...lines].map((cells) => `${cells.map((cell) => cell ?? '').join(',')}\n`).join('')
}
