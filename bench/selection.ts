import { runCampaign } from '../src/audience/run.ts'
import { connect } from '../src/database/connect.ts'
import { STRIPE_WIDTH } from '../src/database/stripes.ts'
import { type Bench, conclude, type Finding } from './measure.ts'
import { fillContacts } from './population.ts'
import { NOW, openBenchRuntime, openWorkspace } from './workspace.ts'

const TABLES = ['episodes', 'stages', 'touchpoints'] as const

/**
 * The selection of everybody, against INSERT … SELECT of the very rows it writes: from prepared tables, into the
 * same tables with the same indexes, in the same chunks of contacts with a transaction each.
 */
export async function measureSelection(bench: Bench): Promise<Finding[]> {
  const { arena, log } = bench
  const contacts = bench.quick ? 500 : 1_000_000
  log(`preparing ${contacts} contacts`)
  const prepared = await arena.prepare('selection', async (database) => {
    await fillContacts(database, contacts, { from: 3, to: 180 })
    const workspace = await openWorkspace()
    await workspace.apply(database, 'ladder')
  })

  /** Runs the campaign; with `keep`, leaves the rows beside the tables they would be inserted into. */
  const select = async (url: string): Promise<number> => {
    const database = connect(url)
    const runtime = await openBenchRuntime(database)
    const current = await runtime.book.current('ladder')
    if (!current) throw new Error('the campaign was not applied')
    const started = performance.now()
    const onProgress = (done: number, total: number) => {
      if (done % 20 === 0) log(`selecting: ${done} of ${total} chunks`)
    }
    const result = await runCampaign({ ...runtime.run, onProgress }, current, NOW)
    const seconds = (performance.now() - started) / 1000
    await runtime.close()
    await database.close()
    if (result.answers.opened !== contacts) {
      throw new Error(`the selection opened ${JSON.stringify(result.answers)} of ${contacts}`)
    }
    return seconds
  }

  log('making the rows the floor inserts')
  const made = await arena.copy(prepared)
  await select(made)
  await keepRows(made)
  const insert = async (url: string): Promise<number> => {
    const database = connect(url)
    const started = performance.now()
    for (let from = 0; from <= contacts; from += STRIPE_WIDTH) {
      const client = await database.client.connect()
      await client.query('BEGIN')
      for (const table of TABLES) {
        await client.query(
          `INSERT INTO ${table} SELECT * FROM kept_${table} WHERE contact_id >= $1 AND contact_id < $2`,
          [from, from + STRIPE_WIDTH],
        )
      }
      await client.query('COMMIT')
      client.release()
    }
    const seconds = (performance.now() - started) / 1000
    await database.close()
    return seconds
  }

  const rounds: { subject: number; floor: number }[] = []
  const keptName = new URL(made).pathname.slice(1)
  for (let round = 1; round <= bench.rounds; round += 1) {
    log(`round ${round} of ${bench.rounds}`)
    const floorUrl = await arena.copy(keptName)
    const floor = await insert(floorUrl)
    await arena.drop(floorUrl)
    log(`INSERT … SELECT: ${floor.toFixed(1)} s`)
    const url = await arena.copy(prepared)
    const subject = await select(url)
    await arena.drop(url)
    log(`selection: ${subject.toFixed(1)} s`)
    rounds.push({ subject, floor })
  }
  await arena.drop(made)
  const target = { kind: 'at most', ratio: 1.5 } as const
  return [conclude({ name: 'selection', unit: 's', target, rounds })]
}

/** Moves the rows into `kept_*` and leaves the tables as empty as they were. */
async function keepRows(url: string): Promise<void> {
  const database = connect(url)
  for (const table of TABLES) {
    await database.client.query(`CREATE TABLE kept_${table} AS SELECT * FROM ${table} ORDER BY contact_id`)
    await database.client.query(`TRUNCATE ${table}`)
    await database.client.query(`CREATE INDEX ON kept_${table} (contact_id)`)
  }
  await database.client.query('VACUUM (ANALYZE)')
  await database.close()
}
