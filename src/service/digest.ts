import { sql } from 'drizzle-orm'
import { openEmail } from '../channels/email/email.ts'
import { earlier } from '../clock.ts'
import { appliedNames } from '../config/versions.ts'
import { execute } from '../database/connect.ts'
import { messageOf, WinbackError } from '../errors.ts'
import { composeDigest, type DigestMail } from '../reports/digest.ts'
import { campaignTitles } from './campaign-titles.ts'
import { readProgrammeSheet, readSheet, refreshReports, styleOfWorkspace } from './reporting.ts'
import type { Runtime } from './runtime.ts'
import { lastTick } from './schedule.ts'

// The weekly digest by e-mail: what all campaigns brought together, then Monday's page of each.

/** Seconds until a digest is tried again that nobody can have got. */
const AGAIN = 600
/** Before the note of one that is tried again. */
const PUT_OFF = 'put off: '

type Parts = Pick<Runtime, 'database' | 'workspace' | 'book' | 'clock' | 'worker'>

/**
 * Monday's page of the campaigns as a mail, the busiest first, from sums brought up to date; where all are asked for and a
 * control group is kept, what they brought together comes before them. Undefined where no campaign was ever applied.
 */
export async function makeDigest(
  runtime: Parts,
  options: { readonly locale: string; readonly campaigns?: readonly string[] | undefined },
): Promise<DigestMail | undefined> {
  const { workspace, clock, database } = runtime
  await refreshReports(runtime)
  const now = clock.now()
  const style = { ...styleOfWorkspace(workspace), locale: options.locale, color: false, width: 76 }
  const together = options.campaigns ? undefined : await readProgrammeSheet(runtime, now, style)
  const names = options.campaigns ?? together?.data.campaigns.map(({ campaign }) => campaign) ?? []
  const titles = await campaignTitles(runtime, names)
  const sheets = []
  for (const campaign of names) {
    const { sheet } = await readSheet(runtime, 'monday', campaign, { now }, style)
    // Of several sheets that are all called Monday nobody sees which is whose.
    sheets.push({ ...sheet, title: titles.get(campaign) ?? campaign })
  }
  const [first] = sheets
  if (!first) return undefined
  const one = { told: first, named: (await appliedNames(database)).length > 1 }
  if (!together) return await composeDigest(workspace.name, sheets, one, style)
  const { data, sheet } = together
  const all = data.effect || data.share > 0 || names.length > 1 ? [sheet, ...sheets] : sheets
  // The subject is what can be said: of all together, or of the busiest while that is not known yet.
  const told = data.verdict.kind === 'not_yet' ? one : { told: sheet, named: false }
  return await composeDigest(workspace.name, all, told, style)
}

/**
 * Sends a digest over the workspace's mail server, one mail an address. A process that is ending waits for it as for the
 * provider of any message.
 * @param occasion the same for a repeat of the same digest: part of the Message-ID
 * @throws WinbackError `channel.unavailable` with the server's words, naming who has not got it
 */
export async function sendDigest(
  { workspace, worker: { left, installation } }: Pick<Runtime, 'workspace' | 'worker'>,
  to: readonly string[],
  mail: DigestMail,
  occasion: string,
): Promise<void> {
  const settings = workspace.channels.email
  if (!settings) {
    throw new WinbackError('channel.unavailable', 'there is no mail server to send a digest with', {
      remedy: 'Set `channels.email` in winback.yaml.',
    })
  }
  const channel = openEmail(settings)
  const failed: string[] = []
  /** Mails that went out, may have, or are refused for good. */
  let settled = 0
  const leave = () => channel.leave?.()
  if (left?.aborted) leave()
  left?.addEventListener('abort', leave)
  try {
    for (const [at, address] of to.entries()) {
      const images = mail.images.map(({ cid, content }) => ({ cid, draw: async () => content }))
      const content = { ...mail, images, fromName: undefined }
      const key = `digest-${installation.name}-${occasion}-${at}`
      const delivery = await channel.send({ contactId: 0, touchpointId: 0, address, content, key })
      if (delivery.outcome !== 'retry') settled += 1
      if (delivery.outcome !== 'sent') failed.push(`${address}: ${delivery.detail}`)
    }
  } finally {
    left?.removeEventListener('abort', leave)
    await channel.close()
  }
  if (failed.length === 0) return
  throw new WinbackError('channel.unavailable', `the digest was not taken: ${failed.join('; ')}`, {
    remedy: 'Run `winback doctor` to see what the mail server says.',
    facts: { settled },
  })
}

/** Of several a day, each has its own: a mailbox that knows a Message-ID keeps no second mail of it. */
function occasionOf(tick: Date): string {
  return tick.toISOString().slice(0, 16).replace(':', '')
}

/**
 * Sends the newest digest that fell due, once: the row says that it is being sent before it is, so of two schedulers one
 * sends, and one that dies while it sends leaves it unsent rather than sent twice. One that certainly nobody got, since it
 * could not be made, or the mail server was away, is tried again for a day.
 * @returns whether one was sent
 */
export async function sendDueDigest(runtime: Parts): Promise<boolean> {
  const { workspace, clock, database } = runtime
  const { to, schedule, locale } = workspace.digest
  if (to.length === 0) return false
  const now = clock.now()
  const tick = lastTick(schedule, workspace.timezone, now)
  const begun = await execute(
    database,
    // A digest that fell due before anybody was there to send it is not made up for a week later.
    sql`INSERT INTO digests AS d (scheduled_for, state, note, sent_at)
        SELECT ${tick}, 'failed', ${`${PUT_OFF}it was not made`}, ${now} WHERE ${tick}::timestamptz > ${earlier(now, 86_400)}
        ON CONFLICT (scheduled_for) DO UPDATE SET sent_at = excluded.sent_at
          WHERE d.state = 'failed' AND d.note LIKE ${`${PUT_OFF}%`} AND d.sent_at <= ${earlier(now, AGAIN)}`,
  )
  if (begun === 0) return false
  /** @returns false where another scheduler has begun with it since */
  const settle = async (state: string, note: string | null) =>
    (await execute(
      database,
      sql`UPDATE digests SET state = ${state}, note = ${note} WHERE scheduled_for = ${tick} AND sent_at = ${now}`,
    )) > 0
  let mail: DigestMail | undefined
  try {
    mail = await makeDigest(runtime, { locale: locale ?? workspace.locales[0] ?? 'en' })
    if (!(await settle('sending', null))) return false
    if (mail) await sendDigest(runtime, to, mail, occasionOf(tick))
    await settle('sent', null)
    return mail !== undefined
  } catch (cause) {
    const again = mail === undefined || (cause instanceof WinbackError && cause.facts.settled === 0)
    await settle('failed', `${again ? PUT_OFF : ''}${messageOf(cause)}`)
    throw cause
  }
}
