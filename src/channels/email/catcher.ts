import PostalMime from 'postal-mime'
import { SMTPServer } from 'smtp-server'

// A mail server for development: takes whatever is sent to this machine and keeps it in memory, to be looked at. It
// listens on the loopback alone and passes nothing on. What it holds ends with the process: nothing is left at rest
// that an erasure would have to find.

/** A mail as it was caught. */
export interface CaughtMail {
  /** 1, 2, … in the order they came. */
  readonly no: number
  readonly at: Date
  readonly to: readonly string[]
  readonly from: string
  readonly subject: string
  readonly text: string | undefined
  readonly html: string | undefined
  /** As they were sent, in their order. */
  readonly headers: readonly { readonly name: string; readonly value: string }[]
}

/** Mails that are kept to be looked at. */
export interface CaughtMails {
  /** The newest first. */
  list(): readonly CaughtMail[]
  find(no: number): CaughtMail | undefined
  /** How many came at all; the oldest are let go. */
  count(): number
}

export interface MailCatcher extends CaughtMails {
  readonly port: number
  close(): Promise<void>
}

/** How many mails are kept. */
export const KEPT = 200
/** Bytes of a mail; more is refused, as a mail server would. */
const LARGEST = 5_000_000

/**
 * Listens and catches.
 * @param where.host one of `LOOPBACK`; port 0 takes any that is free
 * @param now when a mail is said to have come
 * @throws the socket's error where it cannot listen: EADDRINUSE
 */
export async function openCatcher(
  where: { readonly host: string; readonly port: number },
  now: () => Date,
): Promise<MailCatcher> {
  const mails: CaughtMail[] = []
  let count = 0
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    allowInsecureAuth: true,
    disableReverseLookup: true,
    size: LARGEST,
    onAuth: (auth, _session, done) => done(null, { user: auth.username ?? 'anybody' }),
    onData: (stream, session, done) => {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        const to = session.envelope.rcptTo.map(({ address }) => address)
        readMail(Buffer.concat(chunks)).then(
          (mail) => {
            count += 1
            mails.unshift({ no: count, at: now(), to, ...mail })
            mails.length = Math.min(mails.length, KEPT)
            done()
          },
          (error: unknown) => done(error instanceof Error ? error : new Error('it cannot be read as a mail')),
        )
      })
    },
  })
  await new Promise<void>((listening, failed) => {
    server.once('error', failed)
    server.listen(where.port, where.host, listening)
  })
  // A client that goes away mid-sentence is its own affair.
  server.on('error', () => {})
  const address = server.server.address()
  if (address === null || typeof address === 'string') throw new Error('the mail catcher has no port')
  return {
    port: address.port,
    list: () => mails,
    find: (no) => mails.find((mail) => mail.no === no),
    count: () => count,
    close: () => new Promise((closed) => server.close(() => closed())),
  }
}

/** A mail as it came over the wire, taken apart. */
export async function readMail(raw: Buffer): Promise<Omit<CaughtMail, 'no' | 'at' | 'to'>> {
  const mail = await PostalMime.parse(raw)
  return {
    from: mail.headers.find(({ key }) => key === 'from')?.value ?? '',
    subject: mail.subject ?? '',
    text: mail.text,
    html: mail.html,
    headers: mail.headers.map(({ originalKey, value }) => ({ name: originalKey, value })),
  }
}
