import { EventEmitter } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import {
  type CapturedMail,
  type CaptureServer,
  captureMail,
  createFaults,
  type Fault,
  type Phase,
  waitFor,
} from './smtp.ts'

export interface RawServer extends CaptureServer {
  /** Every command line that came in, without the messages' text. */
  readonly commands: string[]
}

/**
 * An SMTP server on bare sockets: it can misbehave in every phase. `pipelining` is offered by default, as most
 * servers do; `extensions` adds lines to EHLO (STARTTLS is answered by what a fault at `ehlo` says, or garbage).
 */
export async function startRawSmtp(
  options: {
    faults?: readonly Fault[]
    pipelining?: boolean
    extensions?: readonly string[]
    /** One that is free, by default. */
    port?: number
  } = {},
): Promise<RawServer> {
  const faults = createFaults(options.faults)
  const messages: CapturedMail[] = []
  const commands: string[] = []
  const events = new EventEmitter()
  const sockets = new Set<Socket>()
  const peak = { messages: 0, connections: 0 }
  let reading = 0
  const extensions = [
    'raw.test',
    ...(options.pipelining === false ? [] : ['PIPELINING']),
    '8BITMIME',
    'SMTPUTF8',
    ...(options.extensions ?? []),
  ]

  const serve = (socket: Socket) => {
    sockets.add(socket)
    peak.connections = Math.max(peak.connections, sockets.size)
    socket.on('error', () => {})
    socket.once('close', () => sockets.delete(socket))

    let from = ''
    let recipients: string[] = []
    let pending = Buffer.alloc(0)
    let inBody = false
    let busy = false

    /** Resolves when the dialogue goes on; never, where it does not. */
    const answer = (at: Phase | undefined, usual: string, struck: (fault: Fault) => void = () => {}) =>
      new Promise<void>((resolve) => {
        const fault = at && faults.strike(at, recipients)
        const say = (text: string) => {
          socket.write(`${text}\r\n`, () => resolve())
        }
        if (!fault) say(usual)
        else if ('delay' in fault) setTimeout(() => say(usual), fault.delay)
        else {
          struck(fault)
          if ('reply' in fault) {
            say(fault.reply)
            if (fault.reply.startsWith('421')) socket.end()
          } else if (fault.action === 'drop') socket.destroy()
        }
      })

    const command = async (line: string): Promise<void> => {
      commands.push(line)
      const verb = line.slice(0, 4).toUpperCase()
      const argument = /<(.*?)>/.exec(line)?.[1] ?? ''
      if (verb === 'EHLO' || verb === 'HELO') {
        const last = extensions.length - 1
        const lines = extensions.map((name, index) => `250${index === last ? ' ' : '-'}${name}`)
        return answer('ehlo', lines.join('\r\n'))
      }
      if (verb === 'MAIL') {
        from = argument
        recipients = []
        return answer('mail', '250 2.1.0 ok')
      }
      if (verb === 'RCPT') {
        recipients.push(argument)
        return answer('rcpt', '250 2.1.5 ok', () => recipients.pop())
      }
      if (verb === 'DATA') {
        if (recipients.length === 0) return answer(undefined, '554 5.5.1 no valid recipients')
        inBody = true
        return answer('data', '354 go ahead', () => {
          inBody = false
        })
      }
      if (verb === 'STAR' && extensions.includes('STARTTLS')) {
        await answer(undefined, '220 2.0.0 go ahead')
        socket.write('this is not a TLS handshake\r\n')
        return
      }
      if (verb === 'QUIT') {
        await answer(undefined, '221 2.0.0 bye')
        socket.end()
        return
      }
      return answer(undefined, verb === 'RSET' || verb === 'NOOP' ? '250 2.0.0 ok' : '502 5.5.1 unknown')
    }

    const body = async (raw: Buffer): Promise<void> => {
      inBody = false
      const mail = captureMail(from, [...recipients], raw)
      let taken = true
      const keep = () => {
        messages.push(mail)
        events.emit('message')
      }
      await answer('dot', '250 2.0.0 taken as raw', (fault) => {
        taken = false
        if (fault.kept) keep()
      })
      reading--
      if (taken) keep()
    }

    const advance = async (): Promise<void> => {
      if (busy) return
      busy = true
      for (;;) {
        if (inBody) {
          const fault = pending.length > 0 ? faults.strike('body', recipients) : undefined
          if (fault && 'action' in fault) {
            if (fault.action === 'drop') socket.destroy()
            return
          }
          if (fault && 'reply' in fault) {
            socket.end(`${fault.reply}\r\n`)
            return
          }
          const end = pending.indexOf('\r\n.\r\n')
          if (end === -1) break
          const raw = pending.subarray(0, end + 2)
          pending = pending.subarray(end + 5)
          peak.messages = Math.max(peak.messages, ++reading)
          await body(Buffer.from(raw.toString('latin1').replace(/\r\n\.\./g, '\r\n.'), 'latin1'))
        } else {
          const end = pending.indexOf('\r\n')
          if (end === -1) break
          const line = pending.subarray(0, end).toString()
          pending = pending.subarray(end + 2)
          await command(line)
        }
      }
      busy = false
    }

    socket.on('data', (chunk) => {
      pending = Buffer.concat([pending, chunk])
      void advance()
    })
    void answer('connect', '220 raw.test ESMTP')
  }

  const server = createServer({ allowHalfOpen: true }, serve)
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  let stopping: Promise<void> | undefined

  return {
    host: '127.0.0.1',
    port,
    messages,
    commands,
    faults,
    peak,
    received: (count) => waitFor(events, () => messages.length >= count),
    stop: () => {
      stopping ??= new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      })
      return stopping
    },
  }
}
