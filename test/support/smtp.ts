import { EventEmitter, once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { type ParsedMail, simpleParser } from 'mailparser'
import { SMTPServer } from 'smtp-server'

// A real SMTP server on a free port that keeps what it is given and fails when it is told to. For faults that a
// well-behaved server cannot make (at EHLO, at DATA, inside the body) there is smtp-raw.ts.

export type Phase = 'connect' | 'ehlo' | 'auth' | 'mail' | 'rcpt' | 'data' | 'body' | 'dot'

/** What happens instead of the usual reply. */
export type Fault = {
  /** `body`: while the message is being read. `dot`: after it was read in full, before the reply. */
  readonly at: Phase
  /** Only for these recipients (from `rcpt` on). */
  readonly to?: string | RegExp
  /** How often; always by default. */
  readonly times?: number
  /** At `dot`: the server keeps the message all the same, whatever it says or fails to say. */
  readonly kept?: boolean
} & (
  | { readonly reply: string }
  /** `drop` cuts the connection, `stall` never answers. */
  | { readonly action: 'drop' | 'stall' }
  /** Milliseconds, then the usual reply. */
  | { readonly delay: number }
)

export interface Faults {
  add(fault: Fault): void
  clear(): void
  /** The fault that strikes now, counted. */
  strike(at: Phase, recipients: readonly string[]): Fault | undefined
}

export interface CapturedMail {
  readonly from: string
  readonly to: readonly string[]
  readonly raw: Buffer
  /** An unfolded header's value as it was sent. */
  header(name: string): string | undefined
  parse(): Promise<ParsedMail>
}

export interface CaptureServer {
  readonly host: string
  readonly port: number
  /** Taken over: the server said 250 to them (or kept them without: see {@link Fault}). */
  readonly messages: CapturedMail[]
  readonly faults: Faults
  /** Most messages under way at one time, and most connections open at one time. */
  readonly peak: { messages: number; connections: number }
  /** Resolves when at least `count` messages were taken. */
  received(count: number): Promise<void>
  /** Cuts every connection and ends the server. May be called again. */
  stop(): Promise<void>
}

export function createFaults(initial: readonly Fault[] = []): Faults {
  let faults: { fault: Fault; left: number }[] = []
  const add = (fault: Fault) => {
    faults.push({ fault, left: fault.times ?? Number.POSITIVE_INFINITY })
  }
  initial.forEach(add)
  return {
    add,
    clear: () => {
      faults = []
    },
    strike: (at, recipients) => {
      const found = faults.find(({ fault, left }) => {
        if (fault.at !== at || left <= 0) return false
        const { to } = fault
        if (to === undefined) return true
        return recipients.some((address) => (typeof to === 'string' ? address === to : to.test(address)))
      })
      if (!found) return undefined
      found.left--
      return found.fault
    },
  }
}

export function captureMail(from: string, to: readonly string[], raw: Buffer): CapturedMail {
  return {
    from,
    to,
    raw,
    header: (name) => {
      const head = raw.toString('latin1').split('\r\n\r\n', 1)[0] ?? ''
      const line = head
        .replace(/\r\n[ \t]+/g, ' ')
        .split('\r\n')
        .find((candidate) => candidate.toLowerCase().startsWith(`${name.toLowerCase()}:`))
      return line?.slice(name.length + 1).trim()
    },
    parse: () => simpleParser(raw),
  }
}

/** Waits for a list to grow, by the event that is emitted as it does. */
export function waitFor(events: EventEmitter, ready: () => boolean): Promise<void> {
  const wait = async () => {
    while (!ready()) await once(events, 'message')
  }
  return wait()
}

export async function startSmtp(
  options: { faults?: readonly Fault[]; user?: string; password?: string; port?: number } = {},
): Promise<CaptureServer> {
  const faults = createFaults(options.faults)
  const messages: CapturedMail[] = []
  const events = new EventEmitter()
  const peak = { messages: 0, connections: 0 }
  let reading = 0

  const cut = (id: string) => {
    for (const connection of server.connections) {
      if (connection.id === id) connection._socket.destroy()
    }
  }
  /** Lets a fault strike, or goes on as usual. */
  const meet = (
    at: Phase,
    session: { id: string; envelope: { rcptTo: { address: string }[] } },
    recipients: readonly string[],
    reply: (error?: Error) => void,
  ): Fault | undefined => {
    const fault = faults.strike(at, recipients)
    if (!fault) reply()
    else if ('reply' in fault) {
      const [, code = '451', text = 'fault'] = /^(\d{3}) (.*)$/.exec(fault.reply) ?? []
      reply(Object.assign(new Error(text), { responseCode: Number(code) }))
    } else if ('delay' in fault) setTimeout(reply, fault.delay)
    else if (fault.action === 'drop') cut(session.id)
    return fault
  }

  const server = new SMTPServer({
    authOptional: options.user === undefined,
    disabledCommands: options.user === undefined ? ['AUTH', 'STARTTLS'] : ['STARTTLS'],
    allowInsecureAuth: true,
    disableReverseLookup: true,
    closeTimeout: 200,
    logger: false,
    onConnect: (session, done) => {
      peak.connections = Math.max(peak.connections, server.connections.size)
      meet('connect', session, [], done)
    },
    onAuth: (auth, session, done) => {
      meet('auth', session, [], (error) => {
        if (error) done(error)
        else if (auth.username === options.user && auth.password === options.password) {
          done(null, { user: auth.username })
        } else done(Object.assign(new Error('5.7.8 Authentication failed'), { responseCode: 535 }))
      })
    },
    onMailFrom: (_address, session, done) => {
      meet('mail', session, [], done)
    },
    onRcptTo: ({ address }, session, done) => {
      meet('rcpt', session, [address], done)
    },
    onData: (stream, session, done) => {
      const recipients = session.envelope.rcptTo.map(({ address }) => address)
      const from = session.envelope.mailFrom ? session.envelope.mailFrom.address : ''
      peak.messages = Math.max(peak.messages, ++reading)
      stream.once('close', () => reading--)
      meet('body', session, recipients, (refused) => {
        const chunks: Buffer[] = []
        stream.on('data', (chunk: Buffer) => chunks.push(chunk))
        stream.once('end', () => {
          if (refused) return done(refused)
          const keep = () => {
            messages.push(captureMail(from, recipients, Buffer.concat(chunks)))
            events.emit('message')
          }
          const struck = meet('dot', session, recipients, (error) => {
            if (error) return done(error)
            keep()
            done(null, '2.0.0 taken')
          })
          if (struck?.kept) keep()
        })
      })
    },
  })
  // A client that goes away in the middle is what many tests are about.
  server.on('error', () => {})

  await new Promise<void>((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve))
  const { port } = server.server.address() as AddressInfo
  let stopping: Promise<void> | undefined

  return {
    host: '127.0.0.1',
    port,
    messages,
    faults,
    peak,
    received: (count) => waitFor(events, () => messages.length >= count),
    stop: () => {
      stopping ??= new Promise((resolve) => {
        for (const connection of server.connections) connection._socket.destroy()
        server.close(() => resolve())
      })
      return stopping
    },
  }
}
