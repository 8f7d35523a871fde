import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { sql } from 'drizzle-orm'
import { Redis } from 'ioredis'
import { connect, type Database, execute, rows } from '../src/database/connect.ts'
import { createApiKey, SCOPES, type Scope } from '../src/web/api-keys.ts'
import { heedArms, heedReturns } from '../test/invariants/promises.ts'
import { type Arena, freePort, openArena } from './arena.ts'
import { type Clients, openClients } from './soak/clients.ts'
import { type Load, startLoad } from './soak/load.ts'
import { openLuck } from './soak/luck.ts'
import { openPeople, type People, rowOf } from './soak/people.ts'
import { openProviders } from './soak/providers.ts'
import { openRoles, type Roles, type Running } from './soak/roles.ts'
import { SECRET, writeShop } from './soak/shop.ts'
import { deadlocksIn, type Growth, growthOf, isOfFlush, judge } from './soak/verdict.ts'

// `npm run soak`: everything at once for ten minutes, on each engine. Processes as anybody starts them (two schedulers,
// three workers, the web), fed by HTTP and by files, with providers that fail, people who return and are erased, pauses,
// new versions, and kill -9. At the end everything has to have ended, every promise to hold, memory to be flat, and no
// log to speak of an error.

const HELP = `npm run soak -- [--minutes N] [--seed N] [--engine postgres|redis]

  --minutes N   how long each engine is soaked (10); memory is judged from 3 on
  --seed N      the same chances again (a new one by default, which is printed)
  --engine E    one of the two; both by default`

type Engine = 'postgres' | 'redis'

interface Soaked {
  readonly engine: Engine
  readonly wrong: readonly string[]
  readonly growth: readonly Growth[]
  readonly figures: Readonly<Record<string, number>>
}

/** Contacts there are before anything begins. */
const CROWD = 1500
/** Seconds in which everything that is left has to end. */
const PATIENCE = 240

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '10' },
      seed: { type: 'string' },
      engine: { type: 'string', multiple: true },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    console.log(HELP)
    return
  }
  const minutes = Number(values.minutes)
  const seed = Number(values.seed ?? Math.floor(Math.random() * 1e9))
  console.log(`seed ${seed}, ${minutes} minutes an engine`)
  const arena = await openArena(say, true)
  const outcomes: Soaked[] = []
  try {
    for (const engine of (values.engine ?? ['postgres', 'redis']) as Engine[]) {
      if (engine === 'redis' && arena.redisUrl === undefined) {
        console.error('redis-server is not installed: the Redis engine is NOT soaked')
        continue
      }
      outcomes.push(await soak(arena, engine, minutes, seed))
    }
  } finally {
    await arena.close()
  }
  for (const outcome of outcomes) console.log(describe(outcome))
  if (outcomes.some(({ wrong }) => wrong.length > 0)) process.exitCode = 1
}

const started = performance.now()
function say(text: string): void {
  console.error(`${((performance.now() - started) / 1000).toFixed(1).padStart(7)} s  ${text}`)
}

async function soak(arena: Arena, engine: Engine, minutes: number, seed: number): Promise<Soaked> {
  const url = await arena.copy(arena.migrated)
  const directory = join(arena.directory, `shop-${engine}`)
  mkdirSync(directory)
  const database = connect(url, { max: 4, applicationName: 'winback soak' })
  const webPort = await freePort()
  let load: Load | undefined
  const providers = await openProviders(openLuck(seed, 'providers'), (handover) => load?.taken(handover))
  writeShop(directory, { webPort, smtpPort: providers.smtpPort, providers: providers.url })
  const environment = {
    DATABASE_URL: url,
    SOAK_SECRET: SECRET,
    ...(engine === 'redis' && arena.redisUrl !== undefined ? { REDIS_URL: arena.redisUrl } : {}),
  }
  const roles = openRoles({ directory, environment }, (remark) => say(`${engine}: ${remark}`))
  try {
    const people = openPeople(openLuck(seed, 'people'))
    await furnish(
      directory,
      roles,
      database,
      Array.from({ length: CROWD }, () => rowOf(people.make(new Date()))),
    )
    const { text } = await createApiKey(database, {
      name: 'soak',
      scopes: Object.keys(SCOPES) as Scope[],
      now: new Date(),
      by: 'soak',
    })
    const clients = openClients(`http://127.0.0.1:${webPort}`, text)
    const steady = await Promise.all([
      roles.start('scheduler', 'scheduler'),
      roles.start('worker', 'worker'),
      roles.start('web', 'web'),
    ])
    const victims = new Map<string, { role: 'worker' | 'scheduler'; running: Running }>()
    for (const [name, role] of [
      ['worker b', 'worker'],
      ['worker c', 'worker'],
      ['scheduler b', 'scheduler'],
    ] as const) {
      victims.set(name, { role, running: await roles.start(role, name) })
    }
    say(`${engine}: everything runs`)
    const redis = engine === 'redis' && arena.redisUrl !== undefined ? new Redis(arena.redisUrl) : undefined
    const flush = redis && (async () => void (await redis.flushall()))
    load = startLoad({ seed, directory, people, clients, roles, victims, flush })
    await pass(minutes * 60, () => say(`${engine}: ${progress(roles)}`))
    await load.stop()
    redis?.disconnect()
    say(`${engine}: the load has ended, everything stops in order`)
    await Promise.all(
      [...steady, ...[...victims.values()].map(({ running }) => running)].map((each) => each.stop()),
    )
    providers.heal()
    const last = await startLast(database, roles)
    await drain(database, say)
    await eraseAll(people, clients, () => drain(database, say))
    await Promise.all(last.map((each) => each.stop()))
    say(`${engine}: judging`)
    const growth = minutes < 3 ? [] : steady.flatMap((each) => growthOf(each) ?? [])
    const wrong = [
      ...(await judge(database, providers)),
      ...growth.filter(({ flat }) => !flat).map(({ name }) => `memory of ${name} grows`),
      ...load.failures,
      ...clients.failures,
      ...roles.said.filter((remark) => !flush || !isOfFlush(remark)),
      ...deadlocksIn(readFileSync(join(arena.directory, 'postgres', 'server.log'), 'utf8')),
    ]
    const counted = [...clients.answered, ...load.done, ...roles.told].map(
      ([name, count]) => [name, count] as const,
    )
    return {
      engine,
      wrong,
      growth,
      figures: { ...(await figuresOf(database)), ...Object.fromEntries(counted) },
    }
  } finally {
    roles.killAll()
    await providers.stop()
    await database.close()
    await arena.drop(url)
  }
}

async function furnish(
  directory: string,
  roles: Roles,
  database: Database,
  crowd: readonly object[],
): Promise<void> {
  const file = join(directory, 'crowd.ndjson')
  writeFileSync(file, crowd.map((row) => `${JSON.stringify(row)}\n`).join(''))
  await roles.run('import', 'contacts', file)
  await roles.run('apply')
  await heedReturns(database)
  await heedArms(database)
}

/** Lets time pass; `look` is called every half minute. */
async function pass(seconds: number, look: () => void): Promise<void> {
  const watch = setInterval(look, 30_000)
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
  clearInterval(watch)
}

function progress({ told, said }: Roles): string {
  return `${told.get('run') ?? 0} runs, ${told.get('batch') ?? 0} batches, ${said.length} remarks`
}

/** Those who bring everything to its end. Nobody else is alive, so every lease has run out. */
async function startLast(database: Database, roles: Roles): Promise<readonly Running[]> {
  await execute(database, sql`DELETE FROM switches`)
  await execute(
    database,
    sql`UPDATE touchpoints SET lease_until = '2000-01-01' WHERE lease_until IS NOT NULL`,
  )
  return await Promise.all(
    (['scheduler', 'worker', 'web'] as const).map((role) => roles.start(role, `last ${role}`)),
  )
}

/**
 * Waits until everything has ended, {@link PATIENCE} at most; what looks again in minutes or hours looks again now. Who
 * waits for the hours of their own zone goes on waiting.
 */
async function drain(database: Database, note: (text: string) => void): Promise<void> {
  const end = performance.now() + PATIENCE * 1000
  const left = async () => {
    await execute(
      database,
      sql`UPDATE touchpoints SET due_at = ${new Date()}, planned_for = least(planned_for, ${new Date()})
        WHERE state = 'planned' AND due_at > ${new Date()} AND waits IS DISTINCT FROM 'quiet_hours'
          AND waits IS DISTINCT FROM 'capacity'`,
    )
    const [row] = await rows<{ count: number }>(
      database,
      sql`SELECT (SELECT count(*) FROM touchpoints
          WHERE waits IS DISTINCT FROM 'quiet_hours' AND waits IS DISTINCT FROM 'capacity')
        + (SELECT count(*) FROM budget_holds) + (SELECT count(*) FROM grants WHERE state = 'reserved') AS count`,
    )
    return row?.count ?? 0
  }
  for (let count = await left(); count > 0; count = await left()) {
    note(`${count} have yet to end`)
    if (performance.now() > end) break
    await new Promise((resolve) => setTimeout(resolve, 2000))
  }
}

/**
 * Erases whoever is to be erased and was not yet; some never came. Meanwhile a run may come due: whoever has a message
 * under way is asked about again once all of it has ended, {@link PATIENCE} at most, and what it planned for later ends,
 * too.
 * @throws Error where somebody cannot be erased
 */
async function eraseAll({ leaving }: People, { ask }: Clients, drainAll: () => Promise<void>): Promise<void> {
  const end = performance.now() + PATIENCE * 1000
  for (let left = leaving.splice(0); left.length > 0; ) {
    const underWay: typeof left = []
    for (const person of left) {
      const { status, body } = await ask('DELETE', `/v1/contacts/${person.id}`)
      if (status === 409 && performance.now() < end) underWay.push(person)
      else if (status !== 200 && status !== 404)
        throw new Error(`${person.id} is not erased: ${JSON.stringify(body)}`)
    }
    await drainAll()
    left = underWay
  }
}

async function figuresOf(database: Database): Promise<Record<string, number>> {
  const found = await rows<{ what: string; count: number }>(
    database,
    sql`SELECT state || coalesce(' ' || reason, '') AS what, count(*) FROM touchpoint_records GROUP BY 1
      UNION ALL SELECT 'contacts', count(*) FROM contacts UNION ALL SELECT 'activity', count(*) FROM activity
      UNION ALL SELECT 'erased', count(*) FROM erased_ids UNION ALL SELECT 'episodes', count(*) FROM episodes
      UNION ALL SELECT 'returned', count(*) FROM episodes WHERE returned_at IS NOT NULL
      UNION ALL SELECT 'receipts', count(*) FROM delivery_events UNION ALL SELECT 'grants', count(*) FROM grants
      UNION ALL SELECT 'grants credited', count(*) FROM grants WHERE credit = 'credited'`,
  )
  return Object.fromEntries(found.map(({ what, count }) => [what, count]))
}

function describe({ engine, wrong, growth, figures }: Soaked): string {
  return [
    `\n${engine}`,
    ...Object.entries(figures).map(([name, count]) => `  ${String(count).padStart(8)}  ${name}`),
    ...growth.map(
      ({ name, from, to, slope }) =>
        `  ${name}: ${from.toFixed(0)} MiB after warming up, ${to.toFixed(0)} at the end, ${slope.toFixed(2)} a minute`,
    ),
    wrong.length === 0 ? '  nothing is wrong' : `  ${wrong.length} things are WRONG`,
    ...wrong.slice(0, 60).map((line) => `    ${line.slice(0, 4000)}`),
  ].join('\n')
}

await main()
