import type { Context, Handler } from 'hono'
import { deleteCookie, getCookie, setCookie } from 'hono/cookie'
import type { Child } from 'hono/jsx'
import type { CaughtMails } from '../../channels/email/catcher.ts'
import type { Session } from '../../database/connect.ts'
import { WinbackError } from '../../errors.ts'
import { type Language, languageOf, type Speech, speechOf } from '../../reports/words.ts'
import { styleOfWorkspace } from '../../service/reporting.ts'
import type { Runtime } from '../../service/runtime.ts'
import { type Ability, may } from '../accounts/roles.ts'
import { closeSession, readSession, type SignedIn } from '../accounts/sessions.ts'
import { routeOf } from '../answers.ts'
import { type AuditEntry, recordAudit } from '../audit.ts'
import type { Desk } from '../desk.ts'
import { addressOf, isForwardedHttps } from '../visitor.ts'
import { readFreshness } from './freshness.ts'
import { layout, refusalPage } from './layout.tsx'
import { refusalWords } from './refusal-words.ts'
import { ROLE_WORDS } from './role-words.ts'

// One request of a browser: who it is, what they may do, in which language. Every page and every form goes through
// page() or act(), so none can forget the session, the ability or the token.

/** What the pages are made of. */
export interface PagesDependencies {
  readonly runtime: Runtime
  /** Absent: campaign files are not at hand in this process. */
  readonly desk?: Desk | undefined
  /** Mails that were caught instead of sent; absent where mail goes out. */
  readonly caught?: CaughtMails | undefined
  /** Hears of what failed on our side. */
  onError(where: string, error: unknown, request?: string): void
}

/** A request whose sender need not be signed in. */
export interface Guest {
  readonly c: Context
  readonly language: Language
  readonly speech: Speech
  readonly now: Date
  /** One text, both languages beside each other. */
  say(en: string, zh: string): string
}

export interface Visit extends Guest {
  readonly user: SignedIn
  readonly runtime: Runtime
  readonly desk: Desk | undefined
  readonly caught: CaughtMails | undefined
  may(ability: Ability): boolean
  /** The page with its frame. */
  show(title: string, body: Child, status?: 200 | 400 | 404 | 409 | 422): Promise<Response>
  /** What the form brought; empty of a GET. */
  readonly form: URLSearchParams
  /** Records what was done, by this user, from here; in the transaction that does it, where one is given. */
  audit(action: string, about: string | null, detail?: AuditEntry['detail'], tx?: Session): Promise<void>
  /** Goes to a page, which says `note` once. */
  go(path: string, note?: string): Response
}

const SESSION_COOKIE = 'winback_session'
const LANGUAGE_COOKIE = 'winback_language'
const NOTE_COOKIE = 'winback_note'

/** Nothing but our own style sheet and pictures; no script of anybody, but for {@link allowScript}. */
const POLICY = [
  "default-src 'none'",
  "style-src 'self'",
  "img-src 'self' data:",
  "form-action 'self'",
  "frame-src 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** The language of a request: the one chosen, else the browser's. */
export function guestOf(c: Context, runtime: Runtime): Guest {
  const chosen = getCookie(c, LANGUAGE_COOKIE)
  const language = languageOf(chosen ?? c.req.header('Accept-Language') ?? 'en')
  return {
    c,
    language,
    speech: speechOf({ ...styleOfWorkspace(runtime.workspace), locale: language }),
    now: runtime.clock.now(),
    say: (en, zh) => (language === 'en' ? en : zh),
  }
}

/** Headers of every page. */
export function guard(c: Context): void {
  c.header('Content-Security-Policy', POLICY)
  c.header('Cache-Control', 'no-store')
}

/** Lets a page have our own script, and ask us by it. */
export function allowScript(c: Context): void {
  c.header('Content-Security-Policy', `${POLICY}; script-src 'self'; connect-src 'self'`)
}

/** A page: for whoever is signed in and has the ability. */
export function page(
  dependencies: PagesDependencies,
  ability: Ability,
  show: (visit: Visit) => Promise<Response>,
): Handler {
  return (c) => answer(c, dependencies, ability, (c) => toSignIn(c, dependencies.runtime), show)
}

/** Answers one of our own forms whose sender is signed in no more, or anew: they have no need to fill it in again. */
export type Keep = (
  guest: Guest,
  fields: URLSearchParams,
  /** Undefined where they have to sign in. */
  user?: SignedIn,
) => Response | Promise<Response>

/**
 * What a form does: signed in, able, and with the session's token; from our own pages alone.
 * @param keep by default, the sender of a form that comes without fills it in again
 */
export function act(
  dependencies: PagesDependencies,
  ability: Ability,
  work: (visit: Visit) => Promise<Response>,
  keep?: Keep,
): Handler {
  const { runtime } = dependencies
  const shutOut = async (c: Context, guest: Guest) =>
    keep && isFromHere(c, runtime) ? await keep(guest, await readForm(c)) : toSignIn(c, runtime)
  return (c) =>
    answer(c, dependencies, ability, shutOut, async (visit) => {
      const here = isFromHere(c, runtime)
      if (here && visit.form.get('csrf') === visit.user.csrf) return await work(visit)
      if (here && keep) return await keep(visit, visit.form, visit.user)
      return c.html(
        refusalPage(
          visit,
          visit.say('This form is too old', '此表单已过期'),
          visit.say(
            'It was made before you signed in, or by another site. Go back, load the page again and send it once more.',
            '表单可能在您登录之前打开，或来自其他网站。请返回并重新载入页面后再提交。',
          ),
        ),
        403,
      )
    })
}

async function answer(
  c: Context,
  dependencies: PagesDependencies,
  ability: Ability,
  shutOut: (c: Context, guest: Guest) => Response | Promise<Response>,
  work: (visit: Visit) => Promise<Response>,
): Promise<Response> {
  const { runtime } = dependencies
  const guest = guestOf(c, runtime)
  guard(c)
  const cookie = getCookie(c, SESSION_COOKIE)
  const user = cookie === undefined ? undefined : await readSession(runtime.database, cookie, guest.now)
  if (!user) return await shutOut(c, guest)
  const visit = await visitOf(c, dependencies, guest, user)
  if (!may(user.role, ability)) {
    return c.html(
      refusalPage(
        visit,
        visit.say('Not for your role', '您的角色无权进行此操作'),
        visit.say(
          `You are signed in as ${user.name} (${ROLE_WORDS[user.role].en}). An admin can change that: \`winback users role ${user.name} --role ROLE\`.`,
          `您以 ${user.name}（${ROLE_WORDS[user.role]['zh-CN']}）身份登录。管理员可调整角色：\`winback users role ${user.name} --role ROLE\`。`,
        ),
      ),
      403,
    )
  }
  try {
    return await work(visit)
  } catch (error) {
    if (error instanceof WinbackError) return await showError(visit, error)
    dependencies.onError(routeOf(c), error, c.get('requestId'))
    return c.html(
      refusalPage(
        visit,
        visit.say('Something failed on our side', '系统出错'),
        visit.say(
          'Nothing was changed. Load the page again; the log of this process says more.',
          '未做任何更改。请重新载入页面；进程日志中有详细信息。',
        ),
      ),
      500,
    )
  }
}

/** What an address of the sign-in has where a form brought somebody there: it was not taken. */
export const LOST = 'lost'

/** Whoever has no session signs in first, and comes back to the page they asked for, or that their form stood on. */
function toSignIn(c: Context, runtime: Runtime): Response {
  const sent = c.req.method === 'POST' && isFromHere(c, runtime)
  const formsPage = sent ? c.req.header('Referer') : undefined
  const asked = (c.req.method === 'GET' ? c.req.url : formsPage) ?? '/'
  // Whoever asks writes what they like there.
  const { pathname, search } = new URL(URL.canParse(asked, c.req.url) ? asked : '/', c.req.url)
  const query = new URLSearchParams(pathname === '/' ? {} : { next: pathname + search })
  // Who wanted out is out.
  if (sent && c.req.path !== '/sign-out') query.set(LOST, '1')
  return c.redirect(`/sign-in${query.size === 0 ? '' : `?${query}`}`, 303)
}

async function visitOf(
  c: Context,
  { runtime, desk, caught }: PagesDependencies,
  guest: Guest,
  user: SignedIn,
): Promise<Visit> {
  const form = c.req.method === 'POST' ? await readForm(c) : new URLSearchParams()
  const note = getCookie(c, NOTE_COOKIE)
  if (note !== undefined) deleteCookie(c, NOTE_COOKIE, { path: '/' })
  const visit: Visit = {
    ...guest,
    user,
    runtime,
    desk,
    caught,
    form,
    may: (wanted) => may(user.role, wanted),
    show: async (title, body, status = 200) =>
      c.html(
        layout(visit, { title, body, note, freshness: await readFreshness(runtime.database, guest.now) }),
        status,
      ),
    audit: (action, about, detail = null, tx = runtime.database) =>
      recordAudit(tx, {
        at: guest.now,
        actor: user.name,
        via: 'web',
        action,
        about,
        detail,
        address: addressOf(c),
      }),
    go: (path, words) => {
      if (words !== undefined)
        setCookie(c, NOTE_COOKIE, words.slice(0, 1000), {
          ...COOKIE,
          maxAge: 60,
          secure: isSecure(c, runtime),
        })
      return c.redirect(path, 303)
    },
  }
  return visit
}

/** What the person can mend, in the words every verb of the command line says it with. */
async function showError(visit: Visit, error: WinbackError): Promise<Response> {
  const status = error.code.endsWith('.unknown') ? 404 : error.code.startsWith('plan.') ? 409 : 422
  const [title, words] = refusalWords(error, visit.language)
  return visit.c.html(refusalPage(visit, title, words), status)
}

export const COOKIE = { path: '/', httpOnly: true, sameSite: 'Lax' } as const

/**
 * Whether a cookie is to go over https alone. The browser says by what it is here: over http it keeps no such cookie, and
 * whoever signed in would be asked again.
 */
export function isSecure(c: Context, runtime: Runtime): boolean {
  const [, scheme] = /^(https?):/.exec(c.req.header('Origin') ?? '') ?? []
  if (scheme !== undefined) return scheme === 'https'
  const { url } = runtime.workspace.web
  if (url !== undefined) return url.startsWith('https:')
  return c.req.url.startsWith('https:') || isForwardedHttps(c)
}

/** Signs the browser in. */
export function setSession(c: Context, runtime: Runtime, cookie: string): void {
  setCookie(c, SESSION_COOKIE, cookie, { ...COOKIE, maxAge: 7 * 86_400, secure: isSecure(c, runtime) })
}

/** Ends the browser's session, here and in the database. */
export async function endSession(c: Context, runtime: Runtime): Promise<void> {
  const cookie = getCookie(c, SESSION_COOKIE)
  if (cookie !== undefined) await closeSession(runtime.database, cookie)
  deleteCookie(c, SESSION_COOKIE, { path: '/' })
}

/** Remembers the language for a year. */
export function setLanguage(c: Context, runtime: Runtime, language: Language): void {
  setCookie(c, LANGUAGE_COOKIE, language, { ...COOKIE, maxAge: 365 * 86_400, secure: isSecure(c, runtime) })
}

/** What a form brought, less NUL, which no text that is kept here can hold. */
export async function readForm(c: Context): Promise<URLSearchParams> {
  const form = new URLSearchParams()
  // Once it is read: what stands around an escape that is taken out may be another.
  for (const [name, value] of new URLSearchParams(await c.req.text())) {
    form.append(name.replaceAll('\0', ''), value.replaceAll('\0', ''))
  }
  return form
}

/**
 * Whether a form was sent by one of our own pages. Browsers say so (Sec-Fetch-Site), older ones by the Origin; neither
 * can be set by another site's page.
 */
export function isFromHere(c: Context, runtime: Runtime): boolean {
  const site = c.req.header('Sec-Fetch-Site')
  if (site !== undefined) return site === 'same-origin'
  const origin = c.req.header('Origin')
  if (origin === undefined) return true
  const known = [
    runtime.workspace.web.url,
    `http://${c.req.header('Host')}`,
    `https://${c.req.header('Host')}`,
  ]
  return known.some((url) => url !== undefined && new URL(url).origin === origin)
}

/** A path of our own to go on to: never another host, whatever a link says. */
export function ownPath(text: string | null | undefined): string {
  return text && /^\/(?![/\\])[\x21-\x7e]*$/.test(text) ? text : '/'
}
