import { Hono } from 'hono'
import { HTTPException } from 'hono/http-exception'
import { requestId } from 'hono/request-id'
import { secureHeaders } from 'hono/secure-headers'
import type { CaughtMails } from '../channels/email/catcher.ts'
import { codeOf, messageOf, WinbackError } from '../errors.ts'
import type { Runtime } from '../service/runtime.ts'
import { addressOf, type Listening } from './address.ts'
import { RefusedError, refuse, routeOf } from './answers.ts'
import { callsApi } from './api/calls.ts'
import { auditApi } from './api/changes.ts'
import { contactsApi } from './api/contacts.ts'
import { devicesApi } from './api/devices.ts'
import { healthApi } from './api/health.ts'
import { inappApi } from './api/inapp.ts'
import { ingestApi } from './api/ingest.ts'
import { mailApi } from './api/mail.ts'
import { metricsApi } from './api/metrics.ts'
import { receiptsApi } from './api/receipts.ts'
import { redemptionsApi } from './api/redemptions.ts'
import { reportsApi } from './api/reports.ts'
import { openKeyRing } from './api-keys.ts'
import { limitBody, openBodyMemory } from './body-limit.ts'
import type { Desk } from './desk.ts'
import { openIntake } from './intake.ts'
import { openListener } from './listener.ts'
import { readsPages, showFailed, showNowhere } from './pages/nowhere.tsx'
import { pages } from './pages/pages.ts'
import { preferencesPages } from './pages/preferences/preferences.ts'
import { type WayIn, wayInPage } from './pages/sign-in/way-in.ts'
import { trustProxies } from './visitor.ts'

// The web side of Winback. Each area is one file of api/ (or pages/) that makes a router from what it needs, and one
// line in composeWeb. Nothing here decides anything about contacts: routers call the stages' public functions.

/** What the web side is made of. */
export interface WebDependencies {
  readonly runtime: Runtime
  /** True once the process has been asked to end: it serves what comes, and asks for no more. */
  readonly isDraining?: () => boolean
  /** What pages may do with campaign files; absent where none are at hand. */
  readonly desk?: Desk
  /** Mails that were caught instead of sent. */
  readonly caught?: CaughtMails | undefined
  /** A link that signs somebody in once. */
  readonly wayIn?: WayIn
  /** Hears of what failed on our side, and of which request by its id; who asks is told no more than that. */
  onError?(where: string, error: unknown, request?: string): void
}

/** Bytes of a request's body unless a router sets a limit of its own before it reads: far above any form or API call. */
const BODY_LIMIT = 1_000_000
/** Bytes of bodies that are coming in, from everybody together. */
const BODIES_LIMIT = 64_000_000

/** Puts the routers together. The result serves requests without a socket too: `app.request('/healthz')`. */
export function composeWeb(dependencies: WebDependencies): Hono {
  const { runtime, isDraining = () => false, onError = () => {} } = dependencies
  const app = new Hono()
  app.use(trustProxies(runtime.workspace.web.trusted_proxies))
  app.use(requestId())
  // To ourselves a browser says where a form comes from; told to say it to nobody, it has no other way where it is asked
  // without https, and none of our own forms would be taken there.
  // https is asked for of this name alone, and only where `web.url` says that it is served: a browser that was once told so of
  // all names below it reaches no other that has none, for half a year.
  const https = runtime.workspace.web.url?.startsWith('https:') === true
  app.use(
    secureHeaders({
      referrerPolicy: 'same-origin',
      strictTransportSecurity: https && 'max-age=15552000',
    }),
  )
  app.use(async (c, next) => {
    await next()
    if (isDraining()) c.res.headers.set('Connection', 'close')
  })
  const { database, workspace, clock } = runtime
  const keys = openKeyRing(database, clock)
  // First, so that it counts every request.
  app.route('/', metricsApi({ database, clock, keys }))
  // No text that is kept here can hold it, so nothing can be found by it.
  app.use(async (c, next) =>
    c.req.raw.url.includes('%00')
      ? refuse(c, 400, 'malformed', 'the address holds a NUL character')
      : await next(),
  )
  app.use('/v1/*', auditApi({ database, clock }))
  // Before the limit of all others: it has its own.
  app.route('/', ingestApi({ workspace, clock, keys, intake: openIntake(runtime) }))
  app.use(
    limitBody(
      BODY_LIMIT,
      (c) => refuse(c, 413, 'too_large', `the body is larger than ${BODY_LIMIT.toLocaleString('en')} bytes`),
      openBodyMemory(BODIES_LIMIT),
    ),
  )
  app.route('/', healthApi({ database, isDraining }))
  app.route('/', receiptsApi({ runtime }))
  app.route('/', devicesApi({ database, clock, keys }))
  app.route('/', mailApi({ runtime, onError }))
  app.route('/', contactsApi({ runtime, keys }))
  app.route('/', preferencesPages({ runtime }))
  app.route('/', redemptionsApi({ runtime, keys }))
  app.route('/', reportsApi({ runtime, keys }))
  app.route('/', pages({ runtime, desk: dependencies.desk, caught: dependencies.caught, onError }))

  if (dependencies.wayIn) app.route('/', wayInPage(runtime, dependencies.wayIn))
  app.route('/', inappApi({ runtime, keys }))
  app.route('/', callsApi({ runtime, keys }))
  app.notFound((c) =>
    c.req.method === 'GET' && readsPages(c)
      ? showNowhere(c, workspace.name)
      : refuse(c, 404, 'not_found', `there is no ${c.req.method} ${c.req.path}`),
  )
  app.onError((error, c) => {
    if (error instanceof RefusedError) return refuse(c, error.status, error.error, error.message)
    if (error instanceof HTTPException) {
      return error.res ? error.getResponse() : refuse(c, error.status, 'refused', error.message)
    }
    // Whoever hangs up in the middle of their request is no failure of ours, and nobody reads the answer.
    if (isHangUp(error)) return refuse(c, 400, 'aborted', 'the request ended before it was whole')
    onError(routeOf(c), error, c.get('requestId'))
    if (readsPages(c)) return showFailed(c, workspace.name, c.get('requestId'))
    return refuse(c, 500, 'failed', 'something failed on our side; the request can be sent again')
  })
  return app
}

/** What Node says of a request whose sender went away before its body had come. */
function isHangUp(error: Error): boolean {
  return error.message === 'aborted' && codeOf(error) === 'ECONNRESET'
}

/** A server that listens. */
export interface WebServer {
  /** Where it listens, `http://127.0.0.1:7420`: not `web.url`, which is where the world finds it. */
  readonly address: string
  /** Takes no more connections, lets the requests under way end (within `patience` ms), then resolves. */
  close(patience?: number): Promise<void>
}

/**
 * Composes the app and listens.
 * @throws WinbackError `web.address` where the host and port cannot be listened on
 */
export async function startWeb(
  dependencies: Omit<WebDependencies, 'isDraining'>,
  where: Listening,
): Promise<WebServer> {
  let draining = false
  const app = composeWeb({ ...dependencies, isDraining: () => draining })
  const server = openListener(app.fetch)
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(unavailable(where, cause)))
    server.listen(where.port, where.host, resolve)
  })
  // A connection that could not be taken (no memory for it): the next one may be.
  server.on('error', (error) => dependencies.onError?.('web', error))
  const bound = server.address()
  const port = typeof bound === 'object' && bound !== null ? bound.port : where.port
  return {
    address: addressOf({ ...where, port }),
    close: async (patience = 10_000) => {
      draining = true
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      // A connection that has just been served is idle and kept alive: it would hold the process for seconds.
      const idle = setInterval(() => server.closeIdleConnections(), 50)
      const late = setTimeout(() => server.closeAllConnections(), patience)
      await closed
      clearInterval(idle)
      clearTimeout(late)
    },
  }
}

function unavailable({ host, port }: Listening, cause: unknown): WinbackError {
  const why = codeOf(cause) === 'EADDRINUSE' ? 'something else listens there already' : messageOf(cause)
  return new WinbackError('web.address', `the web server cannot listen on ${host}:${port}: ${why}`, {
    remedy:
      'Stop the other process, or set another `web.port` in winback.yaml (0 takes any that is free; `web: { serve: false }` keeps `start` from listening).',
    cause,
  })
}
