import { setMaxListeners } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clients } from './clients.ts'
import { type Luck, openLuck } from './luck.ts'
import { type People, type Person, rowOf } from './people.ts'
import type { Handover } from './providers.ts'
import type { Roles, Running } from './roles.ts'
import { writeCampaigns } from './shop.ts'

// Everything that happens to a shop, at once and for as long as it is let: each part a loop with a rhythm and a luck of
// its own. What a part cannot do is written down; none stops the others.

export interface Load {
  /** What a provider took: its receipts follow, in any order and number. */
  taken(handover: Handover): void
  /** What parts could not do, each with its part. */
  readonly failures: readonly string[]
  /** How often each part did its work. */
  readonly done: ReadonlyMap<string, number>
  /** Resolves when what is under way has ended. */
  stop(): Promise<void>
}

export interface Scene {
  readonly seed: number
  readonly directory: string
  readonly people: People
  readonly clients: Clients
  readonly roles: Roles
  /** Processes that are killed and come again, by name. */
  readonly victims: Map<string, { readonly role: 'worker' | 'scheduler'; running: Running }>
  /** Empties the queue, where it is one that can be emptied. */
  readonly flush?: (() => Promise<void>) | undefined
}

interface Part {
  /** Milliseconds between two times, on average. */
  readonly every: number
  work(luck: Luck): Promise<unknown>
}

export function startLoad(scene: Scene): Load {
  const failures: string[] = []
  const done = new Map<string, number>()
  const pending: Handover[] = []
  const stopping = new AbortController()
  // One a part.
  setMaxListeners(0, stopping.signal)
  const loops = Object.entries(partsOf(scene, pending)).map(([name, { every, work }]) =>
    run(stopping.signal, openLuck(scene.seed, name), every, async (luck) => {
      try {
        await work(luck)
        done.set(name, (done.get(name) ?? 0) + 1)
      } catch (error) {
        failures.push(`${name}: ${error instanceof Error ? error.message : error}`)
      }
    }),
  )
  return {
    failures,
    done,
    taken: (handover) => {
      // Of a flood the newest are reported: receipts are never all there are.
      if (pending.push(handover) > 2000) pending.shift()
    },
    stop: async () => {
      stopping.abort()
      await Promise.all(loops)
    },
  }
}

async function run(
  signal: AbortSignal,
  luck: Luck,
  every: number,
  work: (luck: Luck) => Promise<void>,
): Promise<void> {
  while (!signal.aborted) {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(done, every * (0.5 + luck.next()))
      function done() {
        clearTimeout(timer)
        signal.removeEventListener('abort', done)
        resolve()
      }
      signal.addEventListener('abort', done)
    })
    if (!signal.aborted) await work(luck)
  }
}

function partsOf(scene: Scene, pending: Handover[]): Record<string, Part> {
  const { clients, people, roles, directory, victims, flush } = scene
  const anybody = (luck: Luck) => luck.pick(people.all)
  let messages = 0
  let files = 0
  let version = 1

  const importing = async (kind: 'contacts' | 'activity', rows: readonly object[]) => {
    files += 1
    const file = join(directory, `${kind}-${files}.ndjson`)
    writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
    await roles.run('import', kind, file)
  }
  const event = (person: Person, type: string, properties: object = {}, late = 0) => {
    messages += 1
    const timestamp = new Date(Date.now() - late * 1000).toISOString()
    return {
      ...{ type: 'track', userId: person.id, event: type, messageId: `m${messages}`, timestamp },
      properties,
    }
  }
  return {
    'events in': {
      every: 150,
      work: async (luck) => {
        const batch: object[] = []
        for (let n = 0; n < 25; n += 1) {
          const person = anybody(luck)
          if (!person) continue
          const rare = luck.next()
          if (rare < 0.012) batch.push(event(person, 'order', { revenue: 10 + luck.below(90) }))
          else if (rare < 0.03) batch.push(event(person, 'session', {}, luck.below(3600)))
          else batch.push(event(person, 'page_view'))
        }
        // One in ten is sent twice, the second time beside the first.
        const send = () => clients.ask('POST', '/v1/batch', { batch })
        await Promise.all(luck.chance(0.1) ? [send(), send()] : [send()])
      },
    },
    'people by HTTP': {
      every: 700,
      work: async (luck) => {
        const person = luck.chance(0.6) ? people.make(new Date()) : anybody(luck)
        // Those who were erased come, too: the trackers still know them.
        if (!person) return
        const joined = luck.chance(0.3) ? people.joining.pop() : undefined
        const other = joined && luck.pick(people.all.filter(({ leaves, email }) => !leaves && email !== null))
        const batch = [identify(person), ...(joined && other ? [identify(joined, other.email)] : [])]
        await clients.ask('POST', '/v1/batch', { batch })
        if (!person.device) return
        const device = { external_id: person.id, provider: 'fcm', token: `device of ${person.id}` }
        await clients.ask('POST', '/v1/devices', device)
      },
    },
    imports: {
      every: 5000,
      work: async (luck) => {
        const made = Array.from({ length: 120 }, () => people.make(new Date()))
        // Who was erased is still in the shop's own list, and must not come back by it.
        const again = Array.from({ length: 40 }, () => anybody(luck)).filter((person) => person !== undefined)
        const rows = [...made, ...again].map(rowOf)
        await importing('contacts', [...rows, ...rows.slice(0, 20)])
      },
    },
    'late activity': {
      every: 9000,
      work: (luck) =>
        importing(
          'activity',
          Array.from({ length: 60 }, () => anybody(luck)).flatMap((person) => {
            if (!person) return []
            const ago = luck.chance(0.1) ? luck.below(3600) : luck.below(60 * 86_400)
            const occurred = new Date(Date.now() - ago * 1000).toISOString()
            messages += 1
            const row = { external_id: person.id, type: 'session', occurred_at: occurred }
            return [{ ...row, message_id: `late${messages}` }]
          }),
        ),
    },
    erasures: {
      every: 1500,
      work: async (luck) => {
        const place = luck.below(people.leaving.length)
        const person = people.leaving[place]
        if (!person) return
        const { status } = await clients.ask('DELETE', `/v1/contacts/${person.id}`)
        // A message is being handed over, or the import has not come to the person yet: another time.
        if (status === 200) people.leaving.splice(people.leaving.indexOf(person), 1)
      },
    },
    choices: {
      every: 1500,
      work: async (luck) => {
        const person = anybody(luck)
        if (!person) return
        const choice = luck.chance(0.5) ? { channels_off: ['sms'] } : { frequency: null }
        await clients.ask('PUT', `/v1/preferences/${person.id}`, choice)
      },
    },
    'in the app': {
      every: 400,
      work: async (luck) => {
        const person = anybody(luck)
        if (!person) return
        const { body } = await clients.ask('GET', `/v1/inapp/${person.id}`)
        const [message] = (body as { messages?: { id: string }[] }).messages ?? []
        if (message) await clients.ask('POST', `/v1/inapp/${person.id}/${message.id}/ack`, { tapped: true })
      },
    },
    calls: {
      every: 900,
      work: async (luck) => {
        const { body } = await clients.ask('GET', '/v1/calls?free=true&limit=20')
        const call = luck.pick((body as { calls?: { id: string }[] }).calls ?? [])
        if (!call) return
        const agent = luck.pick(['mei', 'tom']) ?? 'mei'
        await clients.ask('POST', `/v1/calls/${call.id}/claim`, { agent })
        const outcome = luck.pick(['promised', 'no_answer', 'declined', 'opted_out', 'reached'])
        await clients.ask('POST', `/v1/calls/${call.id}/outcome`, { agent, outcome, minutes: 3 })
      },
    },
    receipts: {
      every: 80,
      work: (luck) => Promise.all(pending.splice(0, 12).map((handover) => report(clients, luck, handover))),
    },
    switches: {
      every: 14_000,
      work: async (luck) => {
        const target = luck.pick([['--channel', 'email'], ['--channel', 'sms'], ['ladder'], ['--all']]) ?? []
        await roles.run('pause', ...target, '--reason', 'soaking')
        await new Promise((resolve) => setTimeout(resolve, 2000 + luck.below(3000)))
        await roles.run('resume', ...target)
      },
    },
    versions: {
      every: 60_000,
      work: async () => {
        version += 1
        writeCampaigns(directory, version)
        await roles.run('apply')
      },
    },
    reports: {
      every: 10_000,
      work: (luck) => {
        const name = luck.pick(['monday', 'funnel', 'lift', 'cost', 'delivery', 'offers', 'reasons'])
        return clients.ask('GET', `/v1/reports/${name}?campaign=ladder`)
      },
    },
    kills: {
      every: 12_000,
      work: async (luck) => {
        const name = luck.pick([...victims.keys()]) ?? ''
        const victim = victims.get(name)
        if (!victim) return
        await victim.running.kill()
        await new Promise((resolve) => setTimeout(resolve, luck.below(2000)))
        victim.running = await roles.start(victim.role, name)
      },
    },
    ...(flush ? { flushes: { every: 45_000, work: flush } } : {}),
  }
}

function identify({ id, email, phone, firstName, timezone, signedUpAt }: Person, other?: string | null) {
  return {
    type: 'identify',
    userId: id,
    traits: {
      timezone,
      createdAt: signedUpAt.toISOString(),
      ...((other ?? email) === null ? {} : { email: other ?? email }),
      ...(phone === null ? {} : { phone }),
      ...(firstName === null ? {} : { first_name: firstName }),
    },
  }
}

/** What a provider tells of a message: late, twice, in the wrong order; and what the person does with it. */
async function report(clients: Clients, luck: Luck, handover: Handover): Promise<void> {
  const { channel, reference, unsubscribe, code } = handover
  if (channel === 'email') {
    if (unsubscribe !== undefined && luck.chance(0.02)) await clients.unsubscribe(unsubscribe)
    if (code !== undefined && luck.chance(0.1)) {
      const redemption = { key: `till ${code}`, code, value: 12 }
      await Promise.all([1, 2].map(() => clients.ask('POST', '/v1/redemptions', redemption)))
    }
  } else if (channel === 'sms') {
    const statuses = luck.chance(0.5) ? ['delivered', 'sent', 'delivered'] : ['sent', 'undelivered', 'sent']
    await Promise.all(statuses.map((status) => clients.reportSms(reference, status)))
    if (luck.chance(0.02)) await clients.reply(`+8613${String(luck.below(1000)).padStart(9, '0')}`, 'STOP')
  } else if (channel === 'webhook') {
    const at = new Date().toISOString()
    const event = { reference, kind: luck.chance(0.9) ? 'delivered' : 'clicked', id: `e-${reference}`, at }
    await Promise.all([1, 2].map(() => clients.report('webhook', { events: [event, event] })))
  } else if (channel === 'callback') {
    const outcome = luck.pick(['promised', 'no_answer', 'handed_over', 'declined'])
    const call = { reference, id: `c-${reference}`, at: new Date().toISOString(), outcome, minutes: 2 }
    await Promise.all([1, 2].map(() => clients.report('callback', { calls: [call] })))
  }
}
