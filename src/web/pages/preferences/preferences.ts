import { sql } from 'drizzle-orm'
import { type Context, Hono } from 'hono'
import { channelsSetUp, registerChannels } from '../../../channels/channels.ts'
import { later } from '../../../clock.ts'
import { localTime } from '../../../config/local-time.ts'
import { isLeavingReason } from '../../../config/reasons.ts'
import { type ConsentRecord, consentStates, recordConsents } from '../../../contacts/consent.ts'
import {
  ANYTHING,
  momentOfChoice,
  type Preferences,
  readChoice,
  recordChoice,
} from '../../../contacts/preferences.ts'
import { rows, type Session, transaction } from '../../../database/connect.ts'
import { lockPersons } from '../../../database/person-locks.ts'
import { maySubscribeAgain, type TakenBack, takeBackUnsubscribe } from '../../../outcomes/unsubscribes.ts'
import { titleIn } from '../../../reports/channel-words.ts'
import { readLink } from '../../../service/links.ts'
import type { Runtime } from '../../../service/runtime.ts'
import { refusedAfter, tickedByNow } from '../boxes.ts'
import { titleOfChannel } from './channel-title.ts'
import { DOCUMENT_POLICY } from './document.tsx'
import { gonePage, oftenOf, preferencesPage } from './preferences-page.tsx'
import { type Language, pageLanguage } from './preferences-words.ts'
import { nobodyPage } from './unsubscribe.tsx'

// A contact's own page. The signed link is the permission, to look and to change: no cookie goes along, so another
// site has nothing to borrow, and without the link it has no address to post to.

/** The wording of the agreement a box stands for; another text is another version. */
const WORDING = 'preferences-page/2'
const WORDING_AGAIN = 'preferences-page/again/2'
const SOURCE = 'preferences page'
/** Delivers nowhere: nothing to choose. */
const SILENT = 'log'

interface Reader {
  readonly contactId: number
  readonly locale: string | null
  readonly timezone: string
}

/** `/preferences/TOKEN`: GET shows, POST records and shows again. */
export function preferencesPages({ runtime }: { runtime: Runtime }): Hono {
  return new Hono()
    .get('/preferences/:token', async (c) => {
      const reader = await readerOf(runtime, c.req.param('token'))
      return await show(c, runtime, reader)
    })
    .post('/preferences/:token', async (c) => {
      const reader = await readerOf(runtime, c.req.param('token'))
      if (typeof reader !== 'object') return await show(c, runtime, reader)
      const form = new URLSearchParams(await c.req.text())
      await record(runtime, reader, form)
      const language = pageLanguage(c.req.query('lang'), reader.locale)
      // Seen by GET, so that going back or reloading sends nothing again.
      return c.redirect(`?lang=${language}&saved=1`, 303)
    })
}

/** Undefined where the link leads nowhere, or nowhere any more. */
async function readerOf(runtime: Runtime, token: string): Promise<Reader | 'nobody' | undefined> {
  const { database, workspace } = runtime
  const contactId = await readLink(runtime, 'preferences', token)
  if (contactId === '0') return 'nobody'
  if (contactId === undefined || !/^\d{1,15}$/.test(contactId)) return undefined
  const [row] = await rows<Reader>(
    database,
    sql`SELECT contact_id AS "contactId", locale, coalesce(timezone, ${workspace.timezone}) AS timezone
        FROM contacts WHERE contact_id = ${Number(contactId)}`,
  )
  return row
}

async function show(
  c: Context,
  runtime: Runtime,
  reader: Awaited<ReturnType<typeof readerOf>>,
): Promise<Response> {
  c.header('Content-Security-Policy', DOCUMENT_POLICY)
  c.header('Cache-Control', 'no-store')
  const locale = typeof reader === 'object' ? reader.locale : null
  const language = pageLanguage(c.req.query('lang'), locale ?? c.req.header('Accept-Language'))
  if (reader === 'nobody') return c.html(nobodyPage(language, runtime.workspace.name))
  if (!reader) return c.html(gonePage(language, runtime.workspace.name), 404)
  const { database, clock, workspace } = runtime
  const now = clock.now()
  const known = await readKnown(database, reader.contactId, now)
  const { held } = known
  const { pausedUntil } = held
  return c.html(
    preferencesPage({
      language,
      sender: workspace.name,
      saved: c.req.query('saved') === '1',
      channels: channelsOf(runtime).map((name) => ({
        name,
        title: titleOfChannel(workspace, name, language),
        ...standingOf(runtime, name, known),
      })),
      topics: Object.entries(workspace.topics).map(([name, title]) => ({
        name,
        title: titleIn(title, language) ?? name,
        wanted: !held.topicsOff.includes(name),
      })),
      held,
      pausedUntil:
        pausedUntil && pausedUntil > now ? dayText(pausedUntil, reader.timezone, language) : undefined,
    }),
  )
}

/** One transaction: the choice, and the consents that its boxes stand for. */
async function record(runtime: Runtime, reader: Reader, form: URLSearchParams): Promise<void> {
  const { database, clock, hooks, workspace } = runtime
  const { contactId } = reader
  const nothing = form.get('do') === 'nothing'
  const was = form.get('was')
  const shown = was === null ? undefined : new URLSearchParams(was)
  await transaction(database, async (tx) => {
    await lockPersons(tx, [contactId])
    const now = await momentOfChoice(tx, contactId, clock.now())
    const known = await readKnown(tx, contactId, now)
    const { held } = known
    const standings = new Map(channelsOf(runtime).map((name) => [name, standingOf(runtime, name, known)]))
    const boxesOf = (kind: string, boxes: readonly string[], wanted: (name: string) => boolean) => {
      const held = new Set(boxes.filter(wanted))
      const before = shown ? new Set(shown.getAll(kind)) : held
      return tickedByNow(boxes, { ticked: new Set(form.getAll(kind)), shown: before, held })
    }
    const ticked = nothing
      ? new Set<string>()
      : boxesOf('channel', [...standings.keys()], (name) => standings.get(name)?.wanted === true)
    const back = [...standings].flatMap(([name, { again }]) => (again && ticked.has(name) ? [name] : []))
    const left = back.length > 0 ? await takeBackUnsubscribe(tx, contactId) : undefined
    // What cannot be ticked is not refused with it: the contact may be given another address. Nor is what they had
    // unsubscribed from: it has been said.
    const channels = [...standings].flatMap(([name, { listed, again }]) =>
      nothing || (!listed && (!again || back.length > 0)) ? [name] : [],
    )
    const decided = channels.flatMap((channel): ConsentRecord[] => {
      const state = known.consents.get(channel)
      const asked = runtime.worker.needsConsent.has(channel) || state === 'withdrawn'
      const decision = ticked.has(channel) ? 'given' : 'withdrawn'
      const agreed = {
        contactId,
        channel,
        decision,
        decidedAt: now,
        source: SOURCE,
        proof: 'signed link',
      } as const
      if (back.includes(channel)) return left ? comeBack(left, { ...agreed, wording: WORDING_AGAIN }) : []
      if (!asked || state === decision || (state === undefined && decision === 'withdrawn')) return []
      return [{ ...agreed, wording: decision === 'given' ? WORDING : null }]
    })
    if (decided.length > 0) await recordConsents(tx, decided, { now, hooks })
    const named = Object.keys(workspace.topics)
    const topics = boxesOf('topic', named, (name) => !held.topicsOff.includes(name))
    const answered = (name: string) => shown === undefined || shown.get(name) !== form.get(name)
    const chosen: Preferences = {
      channelsOff: nothing ? ['*'] : refusedAfter(held.channelsOff, channels, ticked),
      topicsOff: nothing ? held.topicsOff : refusedAfter(held.topicsOff, named, topics),
      frequency: answered('often') ? frequencyOf(form.get('often'), held) : held.frequency,
      pausedUntil: answered('pause') ? pauseOf(form.get('pause'), held, now) : held.pausedUntil,
    }
    const why = form.get('why') ?? ''
    const leaving = isLeavingReason(why) ? why : undefined
    await recordChoice(tx, contactId, { ...chosen, source: SOURCE, leaving }, { now, hooks })
  })
}

/** What is known of a contact that their boxes show. */
interface Known {
  readonly held: Preferences
  readonly consents: ReadonlyMap<string, string>
  /** Kinds of addresses of which they have none that is not on the do-not-contact list. */
  readonly silenced: ReadonlySet<string>
  /** Their e-mail address is on it because they unsubscribed, and for nothing else. */
  readonly left: boolean
}

async function readKnown(session: Session, contactId: number, now: Date): Promise<Known> {
  const consents = await consentStates(session, contactId, now)
  return {
    held: (await readChoice(session, contactId, now)) ?? ANYTHING,
    consents: new Map(consents.map(({ channel, state }) => [channel, state])),
    silenced: await silencedKinds(session, contactId, now),
    left: await maySubscribeAgain(session, contactId),
  }
}

/** How a contact stands with a channel, as its box shows it. */
function standingOf(runtime: Runtime, name: string, { held, consents, silenced, left }: Known) {
  const kind = runtime.worker.addressKinds.get(name) ?? ''
  const consent = consents.get(name)
  const needed = runtime.worker.needsConsent.has(name)
  const allowed = needed ? consent === 'given' : consent !== 'withdrawn'
  const wanted =
    !silenced.has(kind) && allowed && !held.channelsOff.includes(name) && !held.channelsOff.includes('*')
  const again = left && kind === 'email' && !wanted
  return { wanted, agrees: needed || consent === 'withdrawn', again, listed: silenced.has(kind) && !again }
}

/**
 * The consent that brings somebody back, whatever they had agreed to before, for all accounts that have the address; and
 * that they had left, for whoever counts those who opted out: the list has it no more.
 */
function comeBack({ at, way, contactIds }: TakenBack, agreed: ConsentRecord): ConsentRecord[] {
  const decidedAt = new Date(Math.min(at.getTime(), agreed.decidedAt.getTime() - 1))
  const left = { decision: 'withdrawn', decidedAt, wording: null, source: 'unsubscribe', proof: way } as const
  return contactIds.flatMap((contactId) => [
    { ...agreed, ...left, contactId },
    { ...agreed, contactId },
  ])
}

const FREQUENCIES: Readonly<Record<string, Preferences['frequency']>> = {
  weekly: { atMost: 1, withinDays: 7 },
  monthly: { atMost: 1, withinDays: 30 },
}

/** What is asked for now; what was held where the answer is the one that stood for it. */
function frequencyOf(answer: string | null, { frequency }: Preferences): Preferences['frequency'] {
  return answer === oftenOf(frequency) ? frequency : (FREQUENCIES[answer ?? ''] ?? null)
}

function pauseOf(answer: string | null, held: Preferences, now: Date): Date | null {
  if (answer === 'keep') return held.pausedUntil
  const days = answer === '30' || answer === '90' ? Number(answer) : 0
  return days === 0 ? null : later(now, days * 86_400)
}

function channelsOf({ workspace }: Runtime): string[] {
  return channelsSetUp(registerChannels(workspace)).filter((name) => name !== SILENT)
}

/** The kinds of addresses of which the person has none that is not on the do-not-contact list, by any account. */
async function silencedKinds(session: Session, contactId: number, now: Date): Promise<Set<string>> {
  const found = await rows<{ kind: string }>(
    session,
    sql`SELECT a.kind FROM contacts c JOIN contacts o ON o.person_id = c.person_id
        CROSS JOIN LATERAL (VALUES ('email', o.email_key), ('phone', o.phone_key)) AS a(kind, key)
        LEFT JOIN suppressions s ON s.kind = a.kind AND s.key = a.key AND s.suppressed_at <= ${now}
        WHERE c.contact_id = ${contactId} AND a.key IS NOT NULL
        GROUP BY a.kind HAVING bool_and(s.key IS NOT NULL)`,
  )
  return new Set(found.map(({ kind }) => kind))
}

function dayText(at: Date, timezone: string, language: Language): string {
  return localTime(timezone, at).toPlainDate().toLocaleString(language, { dateStyle: 'long' })
}
