import { sql } from 'drizzle-orm'
import { countriesOf } from '../../channels/sms/phone.ts'
import { formatDuration } from '../../config/quantities.ts'
import { appliedNames } from '../../config/versions.ts'
import { lastToCompare } from '../../contacts/whole-numbers.ts'
import { rows } from '../../database/connect.ts'
import { pendingMigrations } from '../../database/migrate.ts'
import { readShortages } from '../../offers/pools.ts'
import { openRuntime } from '../../service/runtime.ts'
import { type DatabaseContext, embeddedDirectory, shown } from '../workspace.ts'
import { type Finding, fine, notYet, reasonOf, wrong } from './finding.ts'

/** Leases are the database's time, everything else is this machine's: they must not be far apart. */
const TOLERATED_SKEW_MS = 5000
/** Feeds come nightly at the slowest; campaigns say more exactly what they need. */
const FEED_MAX_AGE_S = 36 * 3600

/** Everything that can be asked of an open database, whether or not it was ever migrated. */
export async function checkDatabase(context: DatabaseContext): Promise<Finding[]> {
  const { database, engine } = context
  const place =
    engine.kind === 'embedded'
      ? `embedded, data in ${shown(embeddedDirectory(context.loaded.directory))}`
      : `at ${hostOf(database.url)}`
  const findings = [fine('database', `PostgreSQL ${engine.version} ${place}, schema ${database.schema}`)]
  findings.push(await checkClock(context))
  const pending = await pendingMigrations(database)
  findings.push(
    pending.length === 0
      ? fine('migrations', 'up to date')
      : notYet(
          'migrations',
          `${pending.length} pending: ${pending.join(', ')}`,
          'The next command that uses the database applies them.',
        ),
  )
  if (pending.length === 0)
    findings.push(
      await checkFeed(context),
      ...(await checkNumbers(context)),
      ...(await checkSwitches(context)),
      ...(await checkOffers(context)),
      ...(await checkVersions(context)),
    )
  return findings
}

async function checkClock({ database }: DatabaseContext): Promise<Finding> {
  const before = Date.now()
  const [answer] = await rows<{ now: Date }>(database, sql`SELECT clock_timestamp() AS now`)
  const after = Date.now()
  const skew = (answer?.now.getTime() ?? before) - (before + after) / 2
  return judgeClock(skew, (after - before) / 2)
}

/** @param skew how far the database is ahead, ms; @param doubt half the round trip, ms */
export function judgeClock(skew: number, doubt: number): Finding {
  const apart = Math.abs(skew)
  if (apart - doubt <= TOLERATED_SKEW_MS) {
    return fine(
      'clock',
      apart - doubt < 1000 ? 'agrees with the database' : `${Math.round(apart)} ms apart from the database`,
    )
  }
  return wrong(
    'clock',
    `this machine is ${Math.round(apart / 1000)} s ${skew > 0 ? 'behind' : 'ahead of'} the database`,
    'Let both keep time by NTP (`timedatectl set-ntp true`).',
  )
}

async function checkFeed({ database, clock, loaded }: DatabaseContext): Promise<Finding> {
  const types = loaded.definition.activity
  const [newest] = await rows<{ at: Date | null; contacts: number }>(
    database,
    sql`SELECT (SELECT max(newest_at) FROM feed_days) AS at, (SELECT count(*) FROM contact_activity) AS contacts`,
  )
  return judgeFeed(newest?.at ?? null, newest?.contacts ?? 0, clock.now(), types)
}

export function judgeFeed(
  newest: Date | null,
  contacts: number,
  now: Date,
  types: readonly string[],
): Finding {
  if (contacts === 0) {
    return notYet('feed', 'there are no contacts yet', 'Run `winback import contacts FILE`.')
  }
  if (newest === null) {
    return notYet(
      'feed',
      `${contacts.toLocaleString('en')} contacts and not one ${types.join(' or ')}`,
      'Run `winback import activity FILE`: without activity everybody looks inactive since they signed up.',
    )
  }
  const age = Math.max(0, Math.round((now.getTime() - newest.getTime()) / 1000))
  const words = `newest activity ${newest.toISOString()}, ${roughly(age)} ago`
  return age <= FEED_MAX_AGE_S
    ? fine('feed', words)
    : wrong('feed', words, 'See why no activity comes in: a broken tracker makes everyone look inactive.')
}

/** `45m`, `3h`, `12d`: the largest unit that fits. */
function roughly(seconds: number): string {
  const unit = seconds >= 172_800 ? 86_400 : seconds >= 7200 ? 3600 : 60
  return formatDuration(Math.max(1, Math.round(seconds / unit)) * unit)
}

/** Whose numbers are still told apart by the countries that were named before. */
async function checkNumbers({ database, loaded }: DatabaseContext): Promise<Finding[]> {
  const last = await lastToCompare(database, countriesOf(loaded.definition.channels))
  if (last === undefined || last === 0) return []
  return [
    notYet(
      'numbers',
      'winback.yaml names other countries of numbers than contacts were last compared by: who is one person, and who is ' +
        'on the do-not-contact list, is still as it was',
      'The next `winback start`, `winback sync` or import of contacts compares them anew.',
    ),
  ]
}

async function checkSwitches({ database }: DatabaseContext): Promise<Finding[]> {
  const thrown = await rows<{ scope: string; name: string; state: string; reason: string }>(
    database,
    sql`SELECT scope, name, state, reason FROM switches ORDER BY scope, name`,
  )
  return thrown.map(({ scope, name, state, reason }) => {
    const what = scope === 'workspace' ? 'everything' : `${scope} ${name}`
    return state === 'stopped'
      ? notYet(
          'switches',
          `${what} is stopped for good: ${reason}`,
          'It takes nobody in. To begin anew, give the campaign another name in its file and apply it.',
        )
      : notYet('switches', `${what} is paused: ${reason}`, 'Run `winback resume` when it may go on.')
  })
}

/** Stocks and imported codes that run low or out, or that end before many more can be given. */
async function checkOffers(context: DatabaseContext): Promise<Finding[]> {
  const { database, clock, loaded } = context
  const { book } = await openRuntime({ database, workspace: loaded.definition, clock, channels: new Map() })
  const findings: Finding[] = []
  for (const name of await appliedNames(database)) {
    const offers = (await book.currentText(name))?.definition.offers ?? {}
    for (const { state, found, mend } of await readShortages(database, clock.now(), name, offers)) {
      findings.push(state === 'out' ? wrong('offers', found, mend) : notYet('offers', found, mend))
    }
  }
  return findings
}

/**
 * Versions that were right when they were applied and no longer are: of a format this Winback does not read, or with a
 * template set that is gone. One that nobody is taken in by or still in is of interest to reports alone.
 */
async function checkVersions({ database, clock, loaded }: DatabaseContext): Promise<Finding[]> {
  const { book } = await openRuntime({ database, workspace: loaded.definition, clock, channels: new Map() })
  const versions = await rows<{ campaign: string; version: number; current: boolean; live: boolean }>(
    database,
    sql`SELECT v.campaign, v.version, v.version = k.current_version AS current, EXISTS (
          SELECT FROM episodes e WHERE e.campaign = v.campaign AND e.version = v.version AND e.ended_at IS NULL) AS live
        FROM campaign_versions v JOIN campaigns k USING (campaign) ORDER BY v.campaign, v.version`,
  )
  const findings: Finding[] = []
  for (const { campaign, version, current, live } of versions) {
    const name = `${campaign} version ${version}`
    const { definition } = await book.text(campaign, version)
    const lost = [
      ...(definition.goals ? [] : ['its goals, so that its margin is what was known last']),
      ...(definition.holdout === undefined ? ['its holdout, so that its groups are not checked'] : []),
    ]
    if (lost.length > 0)
      findings.push(notYet('versions', `${name}: reports cannot read ${lost.join(', and ')}`, UPGRADE))
    if (!current && !live) continue
    const why = await book.campaign(campaign, version).then(() => undefined, reasonOf)
    if (why === undefined) continue
    const halted = current ? 'it takes nobody in' : 'what it began does not go on'
    findings.push(wrong('versions', `${name} can no longer be read, and ${halted}: ${why}`, UPGRADE))
  }
  return findings
}

const UPGRADE =
  'Run the Winback it was applied with, or a newer one; or mend its file, and run `winback apply`.'

/** Host, port and database of a connection URL; never its password. */
function hostOf(url: string): string {
  try {
    const { host, pathname } = new URL(url)
    return `${host}${pathname}`
  } catch {
    return 'the given URL'
  }
}
