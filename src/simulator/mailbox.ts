import { SMTPServer } from 'smtp-server'
import { type CaughtMail, type CaughtMails, KEPT, readMail } from '../channels/email/catcher.ts'
import type { Clock } from '../clock.ts'
import type { Population } from './population.ts'

/** A mail that arrived, at the simulation's time (epoch ms). */
export interface Arrival {
  readonly externalId: string
  readonly at: number
  /** The campaign, as its mails name it to mailbox providers (Feedback-ID); undefined where they do not. */
  readonly campaign: string | undefined
  /** As it came over the wire. */
  readonly raw: Buffer
}

/** The mail server of everybody in a population: takes what is sent to them, and nothing else. */
export interface Mailbox {
  readonly port: number
  /** What arrived since the last call, in order. */
  take(): Arrival[]
  counts(): { readonly arrived: number; readonly refused: number }
  /** The last mails that arrived, to be looked at: those there are when it is called. */
  caught(): Promise<CaughtMails>
  close(): Promise<void>
}

/** Opens a real SMTP server on a free port of this machine. Unknown mailboxes are refused with 550 5.1.1. */
export async function openMailbox(population: Population, clock: Clock): Promise<Mailbox> {
  const owners = new Map(
    population.people.flatMap((person) =>
      person.email !== null && person.mailbox ? [[person.email, person.externalId] as const] : [],
    ),
  )
  const last: { readonly at: Date; readonly to: string[]; readonly raw: Buffer }[] = []
  let waiting: Arrival[] = []
  let arrived = 0
  let refused = 0
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['AUTH', 'STARTTLS'],
    disableReverseLookup: true,
    onRcptTo: (address, _session, done) => {
      if (owners.has(address.address.toLowerCase())) return done()
      refused += 1
      done(Object.assign(new Error('5.1.1 no such mailbox'), { responseCode: 550 }))
    },
    onData: (stream, session, done) => {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        // Taken apart when somebody looks: most are let go before.
        const to = session.envelope.rcptTo.map(({ address }) => address)
        const raw = Buffer.concat(chunks)
        const campaign = campaignOf(raw)
        last.push({ at: clock.now(), to, raw })
        if (last.length > KEPT) last.shift()
        for (const { address } of session.envelope.rcptTo) {
          const externalId = owners.get(address.toLowerCase())
          if (externalId !== undefined) waiting.push({ externalId, at: clock.now().getTime(), campaign, raw })
          arrived += 1
        }
        done()
      })
    },
  })
  await new Promise<void>((listening, failed) => {
    server.once('error', failed)
    server.listen(0, '127.0.0.1', listening)
  })
  // A client that goes away mid-sentence is its own affair.
  server.on('error', () => {})
  const address = server.server.address()
  if (address === null || typeof address === 'string') throw new Error('the mail server has no port')
  return {
    port: address.port,
    take: () => {
      const taken = waiting
      waiting = []
      return taken
    },
    counts: () => ({ arrived, refused }),
    caught: async () => {
      const before = arrived - last.length
      const mails = await Promise.all(
        last.map(
          async ({ at, to, raw }, index): Promise<CaughtMail> => ({
            no: before + index + 1,
            at,
            to,
            ...(await readMail(raw)),
          }),
        ),
      )
      const newest = mails.toReversed()
      return {
        list: () => newest,
        find: (no) => newest.find((mail) => mail.no === no),
        count: () => before + newest.length,
      }
    },
    close: () => new Promise((closed) => server.close(() => closed())),
  }
}

/** Bytes in which a mail's headers stand. */
const HEADERS = 4096

function campaignOf(raw: Buffer): string | undefined {
  return /^Feedback-ID: ([^.:\r\n]+)\./im.exec(raw.toString('latin1', 0, HEADERS))?.[1]
}
