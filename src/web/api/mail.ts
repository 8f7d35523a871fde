import { type Context, Hono } from 'hono'
import { accepts } from 'hono/accepts'
import { z } from 'zod'
import { LINK_PATHS } from '../../channels/email/links.ts'
import type { Referred } from '../../channels/reference.ts'
import { isLeavingReason } from '../../config/reasons.ts'
import { type Language, languageOf } from '../../reports/words.ts'
import { openLinks, preferencesUrl, recallSigningKeys } from '../../service/links.ts'
import { followLink, recordOpening, takeReturnedMail } from '../../service/mail.ts'
import type { Runtime } from '../../service/runtime.ts'
import { ownerOf, readUnsubscribeLink, recordReason, unsubscribe } from '../../service/unsubscribing.ts'
import { refuse, routeOf } from '../answers.ts'
import { DOCUMENT_POLICY } from '../pages/preferences/document.tsx'
import {
  askPage,
  brokenClickPage,
  brokenPage,
  DONE,
  donePage,
  erasedPage,
  HEARD,
  nobodyPage,
} from '../pages/preferences/unsubscribe.tsx'
import { readAs } from '../requests.ts'

/** One transparent point: GIF is the smallest there is. */
const PIXEL = Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64')

/** What links and pictures of a mail lead to, and where returned mail is posted. Tokens are the only credentials. */
export function mailApi({
  runtime,
  onError,
}: {
  runtime: Runtime
  /** Hears of a click that could not be recorded. */
  onError(where: string, error: unknown, request: string): void
}): Hono {
  const brand = runtime.workspace.name
  const readKeys = recallSigningKeys(runtime.database)
  const page = (c: Context, content: ReturnType<typeof askPage>, status: 200 | 404 | 410 = 200) =>
    c.html(content, status, {
      'Content-Security-Policy': DOCUMENT_POLICY,
      'Cache-Control': 'no-store',
    })
  /**
   * Whose message a link is of, and their language, as on the preferences page; else what is said of it: "done" would be a
   * promise that nobody keeps.
   */
  const readOwned = async (
    c: Context,
    token: string,
  ): Promise<{ readonly message: Referred; readonly language: Language } | Response> => {
    const message = await readUnsubscribeLink(runtime, token)
    if (!message) return page(c, brokenPage(languageOfReader(c), brand), 404)
    const owner = await ownerOf(runtime, message)
    if (owner === 'nobody') return page(c, nobodyPage(languageOfReader(c), brand))
    if (owner === 'erased') return page(c, erasedPage(languageOfReader(c), brand), 410)
    return { message, language: languageOfReader(c, owner.locale) }
  }

  return new Hono()
    .get(`${LINK_PATHS.click}/:token`, async (c) => {
      const link = await followLink(runtime, c.req.param('token'), agentOf(c), readKeys)
      if (!link) return page(c, brokenClickPage(languageOfReader(c), brand), 404)
      if (link.lost !== undefined) onError(routeOf(c), link.lost, c.get('requestId'))
      return c.body(null, 302, {
        Location: link.url,
        'Cache-Control': 'no-store',
      })
    })
    .get(`${LINK_PATHS.open}/:token`, async (c) => {
      await recordOpening(runtime, c.req.param('token'), agentOf(c))
      // The same picture whatever the token: whoever tries one learns nothing.
      return c.body(new Uint8Array(PIXEL), 200, { 'Content-Type': 'image/gif', 'Cache-Control': 'no-store' })
    })
    .get(`${LINK_PATHS.unsubscribe}/:token`, async (c) => {
      const owned = await readOwned(c, c.req.param('token'))
      if (owned instanceof Response) return owned
      const { message, language } = owned
      const done = c.req.query('done')
      if (done !== undefined) return page(c, donePage(language, brand, done === 'heard'))
      const links = await openLinks(runtime.database, runtime.workspace)
      const preferences = links && `${preferencesUrl(links, message.contactId)}?lang=${language}`
      return page(c, askPage(language, brand, preferences))
    })
    .post(`${LINK_PATHS.unsubscribe}/:token`, async (c) => {
      const owned = await readOwned(c, c.req.param('token'))
      if (owned instanceof Response) return owned
      const { message, language } = owned
      // RFC 8058: the mail program posts List-Unsubscribe=One-Click; our own button says that it is the page.
      const { way, why } = await c.req.parseBody().catch(() => ({}) as Record<string, unknown>)
      const toPage = (stage: string) => c.redirect(`?lang=${language}&${stage}`, 303)
      if (way === 'reason') {
        if (typeof why === 'string' && isLeavingReason(why)) await recordReason(runtime, message, why)
        return toPage(HEARD)
      }
      await unsubscribe(runtime, message, way === 'page' ? 'page' : 'one-click')
      // A mail program follows no redirect; a browser that loads the page again must not post again.
      return way === 'page' ? toPage(DONE) : page(c, donePage(language, brand, false))
    })
    .post('/v1/bounces', async (c) => {
      const raw = new Uint8Array(await c.req.arrayBuffer())
      if (raw.length === 0)
        return refuse(c, 400, 'malformed', 'the body is empty: post the mail as it came in')
      const { recipient } = readAs(bounceQuery, c.req.queries(), 'the query')
      const taken = await takeReturnedMail(runtime, raw, recipient)
      if (taken.outcome === 'refused') return refuse(c, 400, 'malformed', taken.detail)
      return c.json(taken)
    })
}

/** Whom a mail that came back was sent to, as its server tells. */
const bounceQuery = z.strictObject({ recipient: z.array(z.string().min(1)).prefault([]) })

/** Who follows a link; undefined, as of a machine that says nothing, where only the headers are asked for: nobody reads those. */
function agentOf(c: Context): string | undefined {
  return c.req.method === 'HEAD' ? undefined : c.req.header('user-agent')
}

/** @param locale theirs, where it is known who reads */
function languageOfReader(c: Context, locale: string | null = null): Language {
  const chosen = c.req.query('lang') ?? locale
  if (chosen !== null) return languageOf(chosen)
  return languageOf(accepts(c, { header: 'Accept-Language', supports: ['en', 'zh-CN', 'zh'], default: 'en' }))
}
