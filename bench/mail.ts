import type { Engine } from '../src/touchpoints/queue/engine.ts'
import { startChild } from './child.ts'
import { type Bench, conclude, type Finding, sharedFloor } from './measure.ts'
import { fillContacts } from './population.ts'
import type { Answer as BareAnswer, Task as BareTask } from './processes/bare-mail.ts'
import type { Counted, Ready } from './processes/sink.ts'
import type { Answer, Task } from './processes/worker.ts'
import { applyAndRun, countEverything, NOW, openWorkspace } from './workspace.ts'

/**
 * SMTP from one worker process to a sink in another, against a bare nodemailer + Handlebars loop over the same
 * messages with the same pool settings.
 */
export async function measureMail(bench: Bench): Promise<Finding[]> {
  const { arena, log } = bench
  const messages = bench.quick ? 60 : 20_000
  const { definition } = await openWorkspace()
  const smtp = definition.channels.email?.smtp
  if (!smtp) throw new Error('the workspace has no e-mail channel')
  log(`preparing ${messages} contacts`)
  const prepared = await arena.prepare('mail', async (database) => {
    await fillContacts(database, messages, { from: 3, to: 15 })
    await applyAndRun(database, 'letter')
    await countEverything(database)
  })

  const floor = sharedFloor(bench, async () => {
    const sink = await openSink()
    const task = {
      port: sink.port,
      messages,
      connections: smtp.connections,
      messagesPerConnection: smtp.messages_per_connection,
    }
    const { seconds } = await startChild<BareTask, BareAnswer>('bare-mail', task).answer
    const { bytes } = await sink.close(messages)
    log(`bare loop: ${Math.round(messages / seconds)} messages/s of ${Math.round(bytes / messages)} bytes`)
    return messages / seconds
  })
  const subject = async (engineOf: (url: string) => Engine, tracked: boolean) => {
    const sink = await openSink()
    const url = await arena.copy(prepared)
    const engine = engineOf(url)
    const task = { url, engine, at: NOW.toISOString(), smtpPort: sink.port, tracked, due: messages }
    const { seconds, settled, cpu } = await startChild<Task, Answer>('worker', task, bench).answer
    const { bytes } = await sink.close(messages)
    if (settled.sent !== messages) throw new Error(`sent ${settled.sent} of ${messages}`)
    await arena.drop(url)
    log(
      `winback (${engine.kind}${tracked ? ', tracked' : ''}): ${Math.round(messages / seconds)} messages/s of ${Math.round(bytes / messages)} bytes, ` +
        `${Math.round((100 * cpu) / seconds)} % of a core`,
    )
    return messages / seconds
  }
  const plain = { floor, subject: (engineOf: (url: string) => Engine) => subject(engineOf, false) }
  const tracked = { floor, subject: (engineOf: (url: string) => Engine) => subject(engineOf, true) }
  return [
    ...(await overEngines(bench, plain, [
      { engine: 'redis', name: 'mail-redis', target: { kind: 'at least', ratio: 0.85 } },
      { engine: 'postgres', name: 'mail-embedded', target: { kind: 'at least', ratio: 0.75 } },
    ])),
    ...(await overEngines(bench, tracked, [
      { engine: 'redis', name: 'mail-tracked', target: { kind: 'at least', ratio: 0.8 } },
    ])),
  ]
}

/** Alternates the floor and the subject on each engine. */
export async function overEngines(
  bench: Bench,
  measured: { subject(engineOf: (url: string) => Engine): Promise<number>; floor(): Promise<number> },
  wanted: readonly { engine: Engine['kind']; name: string; target: Finding['target'] }[],
): Promise<Finding[]> {
  const { redisUrl } = bench.arena
  const engines: Record<Engine['kind'], ((url: string) => Engine) | undefined> = {
    postgres: (url) => ({ kind: 'postgres', url, schema: 'winback_queue' }),
    redis:
      redisUrl === undefined
        ? undefined
        : (url) => ({ kind: 'redis', url: redisUrl, prefix: `{${new URL(url).pathname.slice(1)}}` }),
  }
  const rounds = new Map(wanted.map(({ name }) => [name, [] as { subject: number; floor: number }[]]))
  for (let round = 1; round <= bench.rounds; round += 1) {
    for (const { engine, name } of wanted) {
      const engineOf = engines[engine]
      if (!engineOf) {
        bench.log(`${name}: redis-server is not installed (apt-get install redis-server): not measured`)
        continue
      }
      bench.log(`round ${round} of ${bench.rounds}`)
      const floor = await measured.floor()
      rounds.get(name)?.push({ floor, subject: await measured.subject(engineOf) })
    }
  }
  return wanted.flatMap(({ name, target }) => {
    const done = rounds.get(name) ?? []
    return done.length === 0 ? [] : [conclude({ name, unit: '/s', target, rounds: done })]
  })
}

/** The sink's process. `close` says what it took, and fails where that is not what was sent. */
async function openSink(): Promise<{ port: number; close(expected: number): Promise<Counted> }> {
  let hear: (note: Ready | Counted) => void = () => {}
  const next = () =>
    new Promise<Ready | Counted>((resolve) => {
      hear = resolve
    })
  const ready = next()
  const sink = startChild<object, Counted, Ready | Counted>('sink', {}, { onNote: (note) => hear(note) })
  const first = await ready
  return {
    port: 'port' in first ? first.port : 0,
    close: async (expected) => {
      const counted = next()
      sink.ask({})
      const count = await counted
      sink.end()
      await sink.answer.catch(() => {})
      if (!('messages' in count) || count.messages !== expected) {
        throw new Error(`the sink took ${JSON.stringify(count)} for ${expected} messages`)
      }
      return count
    },
  }
}
