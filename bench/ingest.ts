import { Agent, request } from 'node:http'
import pg from 'pg'
import { startChild } from './child.ts'
import { eventsOf, type Load, type Sent } from './events.ts'
import { type Bench, conclude, type Finding } from './measure.ts'
import type { Answer, Ready, Task } from './processes/receiver.ts'

const BATCH = 500
const CLIENTS = 16

/** Events over HTTP in batches, each answered when it is durable, against COPY of the same rows into a plain table. */
export async function measureIngest(bench: Bench): Promise<Finding[]> {
  const { arena, log } = bench
  const load: Load =
    bench.load ?? (bench.quick ? { events: 1000, contacts: 200 } : { events: 1_000_000, contacts: 100_000 })
  const speed: { subject: number; floor: number }[] = []
  const memory: { subject: number; floor: number }[] = []
  const returns: number[] = []
  let last = ''
  for (let round = 1; round <= bench.rounds; round += 1) {
    log(`round ${round} of ${bench.rounds}`)
    const plain = await arena.empty()
    const copied = await startChild<Task, Answer>('receiver', { url: plain, copy: load }).answer
    await arena.drop(plain)
    const url = await arena.copy(arena.migrated)
    const sent = await send(bench, url, load)
    await verify(url, load)
    await arena.drop(url)
    log(
      `COPY ${copied.seconds.toFixed(1)} s, HTTP ${sent.seconds.toFixed(1)} s, slowest answer ${Math.round(sent.slowest)} ms; processor time an event: ${cpu(sent, load)}`,
    )
    last = cpu(sent, load)
    speed.push({ floor: load.events / copied.seconds, subject: load.events / sent.seconds })
    memory.push({ floor: sent.early, subject: sent.peak })
    returns.push(sent.slowest)
  }
  const note = `the slowest answer took ${Math.round(Math.max(...returns))} ms; a return has cancelled by then; processor time an event: ${last}`
  return [
    conclude({
      name: 'ingest',
      unit: '/s',
      target: { kind: 'at least', ratio: 0.1, absolute: 20_000 },
      rounds: speed,
      note,
    }),
    conclude({ name: 'ingest-memory', unit: 'MiB', target: { kind: 'at most', ratio: 1.1 }, rounds: memory }),
  ]
}

interface Served extends Answer {
  readonly seconds: number
  readonly slowest: number
}

/** Wall-clock time is the machine's and whoever else works on it; this is what an event costs. */
function cpu({ nodeCpu, postgresCpu }: Served, { events }: Load): string {
  const micros = (seconds: number) => `${((seconds / events) * 1e6).toFixed(0)} µs`
  return `${micros(nodeCpu)} Node, ${postgresCpu === undefined ? 'unknown' : micros(postgresCpu)} PostgreSQL`
}

async function send(bench: Bench, url: string, load: Load): Promise<Served> {
  let ready: (ready: Ready) => void = () => {}
  const listening = new Promise<Ready>((resolve) => {
    ready = resolve
  })
  const child = startChild<Task, Answer, Ready>(
    'receiver',
    { url, copy: undefined },
    { onNote: ready, profile: bench.profile },
  )
  const { address, key } = await Promise.race([
    listening,
    child.answer.then(() => Promise.reject(new Error('it ended'))),
  ])
  const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS })
  const batches = batchesOf(eventsOf(load))
  let slowest = 0
  let accepted = 0
  const started = performance.now()
  const client = async () => {
    for (let next = batches.next(); !next.done; next = batches.next()) {
      const begun = performance.now()
      const taken = await post(agent, `${address}/v1/batch`, key, JSON.stringify({ batch: next.value }))
      accepted += taken
      slowest = Math.max(slowest, performance.now() - begun)
    }
  }
  await Promise.all(Array.from({ length: CLIENTS }, client))
  const seconds = (performance.now() - started) / 1000
  agent.destroy()
  child.ask({ order: 'end' })
  const answer = await child.answer
  if (accepted !== load.events) throw new Error(`${accepted} of ${load.events} events were accepted`)
  return { ...answer, seconds, slowest }
}

function* batchesOf(sent: Iterable<Sent>): Generator<Sent['call'][]> {
  let batch: Sent['call'][] = []
  for (const { call } of sent) {
    batch.push(call)
    if (batch.length < BATCH) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

function post(agent: Agent, url: string, key: string, body: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${key}`, 'content-length': Buffer.byteLength(body) }
    const asked = request(url, { method: 'POST', agent, headers }, (answer) => {
      let text = ''
      answer.setEncoding('utf8').on('data', (part: string) => {
        text += part
      })
      answer.on('end', () => {
        if (answer.statusCode !== 200) reject(new Error(`${answer.statusCode}: ${text}`))
        else resolve((JSON.parse(text) as { accepted: number }).accepted)
      })
    })
    asked.on('error', reject)
    asked.end(body)
  })
}

/** Each event is there, once, and the sums say so too. */
async function verify(url: string, load: Load): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const { rows } = await client.query<{ events: string; orders: string }>(
    `SELECT (SELECT count(*) FROM winback.activity) AS events,
       (SELECT sum(orders_count) FROM winback.contact_activity) AS orders`,
  )
  await client.end()
  const [found] = rows
  if (Number(found?.events) !== load.events || Number(found?.orders) !== Math.ceil(load.events / 10)) {
    throw new Error(`${found?.events} events and ${found?.orders} orders are there`)
  }
}
