import { Readable } from 'node:stream'
import type { SendMailOptions, SMTPPoolOptions } from 'nodemailer'
import { messageOf, WinbackError } from '../../errors.ts'
import { LOOPBACK } from '../private-hosts.ts'
import type { SmtpAttempt, SmtpFailure } from './handover.ts'
import { openLine } from './line.ts'
import { type EmailSettings, mustEncrypt } from './settings.ts'

/** Milliseconds. The first three end a phase; the deadline ends the send whatever the phases do. */
export interface Timing {
  /** From the look-up of the host's name to the end of STARTTLS. */
  readonly connect: number
  readonly greeting: number
  /** Without a byte from the server: also how long it may think about a message. */
  readonly socket: number
  readonly deadline: number
}

/** RFC 5321 grants a server ten minutes after the final dot; a lease cannot, and busy filters take seconds. */
export const defaultTiming: Timing = {
  connect: 10_000,
  greeting: 10_000,
  socket: 35_000,
  deadline: 60_000,
}

/** An idle connection is given up before most servers do (Postfix under load: 10 s at worst, 300 s at best). */
const IDLE_MS = 30_000

/** A message is asked for again at most, where the server had enough of the connection: it may mean us after all. */
const ASKED_AGAIN = 5

export interface Transport {
  /** Never throws for what a server may do. Has ended within the deadline. */
  send(mail: SendMailOptions): Promise<SmtpAttempt>
  /** @throws what keeps the server from being used */
  check(): Promise<string>
  /** Ends what is under way: a reply that has not come by now is waited for no longer. */
  leave(): void
  close(): Promise<void>
}

function failureOf(error: unknown): SmtpFailure {
  if (!(error instanceof Error)) return { message: String(error) }
  const text = (name: string) => {
    const value: unknown = Reflect.get(error, name)
    return typeof value === 'string' && value !== '' ? value : undefined
  }
  const responseCode: unknown = Reflect.get(error, 'responseCode')
  return {
    message: messageOf(error),
    code: text('code'),
    command: text('command'),
    response: text('response'),
    responseCode: typeof responseCode === 'number' ? responseCode : undefined,
  }
}

/** What a signature covers: nodemailer's own list, and what a one-click unsubscription asks for (RFC 8058, 3.1). */
const SIGNED = [
  ...[
    'From',
    'Sender',
    'Reply-To',
    'Subject',
    'Date',
    'Message-ID',
    'To',
    'Cc',
    'MIME-Version',
    'Content-Type',
  ],
  ...['Content-Transfer-Encoding', 'Content-ID', 'Content-Description', 'In-Reply-To', 'References'],
  ...['List-Unsubscribe', 'List-Unsubscribe-Post', 'Feedback-ID', 'Auto-Submitted', 'Precedence'],
].join(':')

function poolOptions(settings: EmailSettings, timing: Timing): SMTPPoolOptions & { pool: true } {
  const { smtp, dkim } = settings
  return {
    pool: true,
    host: smtp.host,
    port: smtp.port,
    secure: smtp.secure,
    requireTLS: mustEncrypt(smtp),
    ...(smtp.user === undefined ? {} : { auth: { user: smtp.user, pass: smtp.password ?? '' } }),
    maxConnections: smtp.connections,
    maxMessages: smtp.messages_per_connection,
    // Only of what a server closed its connection to before a byte of the message was read, as those do that take one
    // message a connection: nothing was handed over, and the next connection is asked at once.
    maxRequeues: 2,
    idleTimeout: IDLE_MS,
    connectionTimeout: timing.connect,
    greetingTimeout: timing.greeting,
    socketTimeout: timing.socket,
    getSocket: (_options, done) => {
      openLine(smtp.host, smtp.port, timing.connect).then(
        (connection) => done(null, { connection }),
        (error: Error) => done(error),
      )
    },
    disableFileAccess: true,
    disableUrlAccess: true,
    ...(dkim
      ? {
          dkim: {
            domainName: dkim.domain,
            keySelector: dkim.selector,
            privateKey: dkim.private_key,
            headerFieldNames: SIGNED,
          },
        }
      : {}),
  }
}

/** What the pool's connections have come to. */
interface Lines {
  /** Messages that were made, and given to the pool. */
  readonly waiting: WeakSet<AbortSignal>
  /** Their bodies, from when a connection stands (signed in, if we sign in) and is about to name the recipient. */
  readonly bodies: WeakMap<AbortSignal, Readable>
  /** When that was last so for any message; real time, ms. */
  stoodAt: number
}

/**
 * A pool of connections.
 * @param lines told how far each send got. The signal is the one value nodemailer carries through untouched
 */
async function openPool(options: ReturnType<typeof poolOptions>, lines: Lines) {
  // Read when the first mail goes: every verb that reads winback.yaml reads this file, and few of them send.
  const { createTransport } = await import('nodemailer')
  const pool = createTransport(options)
  // Each send has its own outcome; what concerns no send (an idle connection's end) concerns nobody.
  pool.on('error', () => {})
  pool.use('stream', (mail, done) => {
    const { message, data } = mail
    const { signal } = data
    const open = message.createReadStream.bind(message)
    message.createReadStream = (streamOptions) => {
      // The outermost stream: with DKIM the message itself is read for signing before the server is asked.
      const body = inOnePiece(() => open(streamOptions))
      lines.stoodAt = performance.now()
      if (signal) lines.bodies.set(signal, body)
      return body
    }
    if (signal) lines.waiting.add(signal)
    done()
  })
  return pool
}

/** A pool of SMTP connections, opened as they are needed. */
export function openTransport(settings: EmailSettings, timing: Timing): Transport {
  const options = poolOptions(settings, timing)
  const lines: Lines = { waiting: new WeakSet(), bodies: new WeakMap(), stoodAt: Number.NEGATIVE_INFINITY }
  let pool: ReturnType<typeof openPool> | undefined
  const underWay = new Set<Promise<SmtpAttempt>>()
  const aborts = new Set<AbortController>()
  let closed = false
  let left = false

  const most = Math.min(settings.smtp.connections, ASKED_AGAIN)
  /** When the server last took a message; real time, ms. */
  let takenAt = Number.NEGATIVE_INFINITY

  const ask = async (mail: SendMailOptions, signal: AbortSignal): Promise<SmtpAttempt> => {
    const body = () => lines.bodies.get(signal)
    const begun = performance.now()
    try {
      pool ??= openPool(options, lines)
      const info = await (await pool).sendMail({ ...mail, signal })
      const response = info.response ?? ''
      if (body()?.readableEnded) {
        takenAt = performance.now()
        return { taken: true, response, messageId: info.messageId }
      }
      // The reply to something before it: nobody knows what the server will say to the message itself.
      return {
        taken: false,
        failure: { message: `answered before it was sent: ${response}` },
        bodyRead: true,
      }
    } catch (error) {
      const failure: SmtpFailure = signal.aborted
        ? {
            message: left
              ? 'this process ended before the server answered'
              : `no end within ${timing.deadline} ms`,
          }
        : failureOf(error)
      // Once DATA is granted the body goes out, though an answer came before it was read.
      const granted = failure.code === 'EMESSAGE' && failure.response !== undefined
      const bodyRead = granted || (body()?.readableDidRead ?? false)
      // It failed in the pool before a connection stood for it. One that gave up waiting says nothing of the server where
      // others got through meanwhile.
      const kept = signal.aborted && lines.stoodAt >= begun
      const before = lines.waiting.has(signal) && !body()
      return {
        taken: false,
        failure,
        bodyRead,
        unreached: before && !closed && !kept,
        closed: before && closed,
      }
    }
  }

  const attempt = async (mail: SendMailOptions): Promise<SmtpAttempt> => {
    const abort = new AbortController()
    aborts.add(abort)
    const timer = setTimeout(() => abort.abort(), timing.deadline)
    try {
      // Each of these ends a connection: once all that have sent are gone, a new one is asked.
      for (let again = 0; ; again++) {
        const said = await ask(mail, abort.signal)
        const lately = performance.now() - takenAt < IDLE_MS
        if (!isUsedUp(said) || !lately || closed || again >= most) return said
      }
    } finally {
      clearTimeout(timer)
      aborts.delete(abort)
    }
  }
  /** Idle connections go at once, busy ones when their delivery has ended. */
  const shut = async () => {
    if (closed) return
    closed = true
    await pool?.then((opened) => opened.close())
  }

  return {
    send: (mail) => {
      if (closed) {
        return Promise.resolve({
          taken: false,
          failure: { message: 'the channel is closed' },
          bodyRead: false,
          closed: true,
        })
      }
      const promise = attempt(mail)
      underWay.add(promise)
      return promise.finally(() => underWay.delete(promise))
    },
    check: () => checkServer(settings, options, timing),
    leave: () => {
      left = true
      void shut()
      for (const abort of aborts) abort.abort()
    },
    close: async () => {
      await shut()
      await Promise.allSettled(underWay)
    },
  }
}

/**
 * Whether a server has had enough of a connection rather than of us: it says 421 (RFC 5321, 4.2.2) to a command about the
 * message, or hangs up on it. Nothing of the message was handed over. Some take so many of a connection, or one.
 */
function isUsedUp(said: SmtpAttempt): boolean {
  if (said.taken || said.bodyRead) return false
  const { code, command, responseCode } = said.failure
  return responseCode === undefined
    ? code === 'ECONNECTION' && command === undefined
    : responseCode === 421 && /^(MAIL|RCPT|DATA)\b/.test(command ?? '')
}

/**
 * A message is made of a dozen pieces (headers, a boundary, a part), and each was a packet of its own to the server: a tenth of
 * what a mail costs. It is read when the server asks for it and not before.
 */
function inOnePiece(open: () => Readable): Readable {
  return new Readable({
    read() {
      const pieces: Buffer[] = []
      open()
        .on('data', (piece: Buffer) => pieces.push(piece))
        .once('error', (error) => this.destroy(error))
        .once('end', () => {
          this.push(Buffer.concat(pieces))
          this.push(null)
        })
    },
  })
}

/**
 * Opens a connection, signs in, and says goodbye.
 * @returns what it found, in words
 */
async function checkServer(
  settings: EmailSettings,
  options: SMTPPoolOptions,
  timing: Timing,
): Promise<string> {
  const { default: SMTPConnection } = await import('nodemailer/lib/smtp-connection')
  const { smtp } = settings
  const where = `${smtp.host}:${smtp.port}`
  const unusable = (cause: unknown): Error => {
    const message = `${where} cannot be used: ${messageOf(cause)}`
    const remedy = remedyFor(smtp, cause)
    return remedy === undefined
      ? new Error(message, { cause })
      : new WinbackError('channels.email.server', message, { remedy, cause })
  }
  const line = await openLine(smtp.host, smtp.port, timing.connect).catch((error: unknown) => {
    throw unusable(error)
  })
  return new Promise((resolve, reject) => {
    const connection = new SMTPConnection({ ...options, connection: line })
    const fail = (error: unknown) => {
      clearTimeout(timer)
      // First, for closing ends the connection, which would be taken for the reason.
      reject(unusable(error))
      connection.close()
    }
    const timer = setTimeout(() => fail(new Error(`no answer within ${timing.deadline} ms`)), timing.deadline)
    const succeed = () => {
      clearTimeout(timer)
      const findings = [
        `${where} answers`,
        connection.secure ? 'encrypted' : 'NOT encrypted',
        smtp.user === undefined ? 'no sign-in' : `signed in as ${smtp.user}`,
        settings.dkim
          ? `signing for ${settings.dkim.domain} (${settings.dkim.selector})`
          : 'without DKIM signature',
      ]
      resolve(findings.join(', '))
      connection.quit()
    }
    connection.once('error', fail)
    connection.once('end', () => fail(new Error('the connection was closed')))
    connection.connect((error) => {
      if (error) return fail(error)
      if (smtp.user === undefined) return succeed()
      if (!connection.allowsAuth) return fail(new Error('the server offers no sign-in (before STARTTLS?)'))
      connection.login({ credentials: { user: smtp.user, pass: smtp.password ?? '' } }, (refused) =>
        refused ? fail(refused) : succeed(),
      )
    })
  })
}

/** What to do about it, where e-mail knows more than that a connection fails. */
function remedyFor(smtp: EmailSettings['smtp'], error: unknown): string | undefined {
  // A fresh workspace sends to this machine, where nobody listens yet: no provider is at fault.
  if (messageOf(error).includes('ECONNREFUSED') && LOOPBACK.includes(smtp.host)) {
    return 'Set SMTP_HOST to your mail server; to try things out, `winback start --catch-mail` listens there.'
  }
  if (failureOf(error).command === 'STARTTLS' && mustEncrypt(smtp)) {
    return (
      'Use the port on which it encrypts (587, or 465 with `secure: true`). Only where nobody else can listen on the ' +
      'way there, write `require_tls: false` under channels.email.smtp.'
    )
  }
  return undefined
}
