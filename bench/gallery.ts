import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { type Browser, chromium, type Page } from 'playwright-core'
import { unsubscribeUrl } from '../src/channels/email/links.ts'
import { openOutput } from '../src/cli/output.ts'
import { openDesk } from '../src/cli/verbs/desk.ts'
import { openWorkspace } from '../src/cli/workspace-file.ts'
import { later, manualClock } from '../src/clock.ts'
import { readEnvironment } from '../src/config/environment.ts'
import { findContact } from '../src/contacts/external-ids.ts'
import { assertServer, connect, type Database, execute, rows } from '../src/database/connect.ts'
import { openEmbedded } from '../src/database/embedded.ts'
import { migrate } from '../src/database/migrate.ts'
import { preferencesUrl, readSigningKeys } from '../src/service/links.ts'
import { refreshReports } from '../src/service/reporting.ts'
import { openRuntime } from '../src/service/runtime.ts'
import { addUser, issueLink } from '../src/web/accounts/users.ts'
import { storePlan } from '../src/web/plans.ts'
import { startWeb } from '../src/web/server.ts'
import { linkAssets } from './arena.ts'

// The web over the workspace that `npm run demo` left behind, as of its last hour, with a browser before it.

/** How a page is looked at. */
export interface Look {
  readonly language: 'en' | 'zh-CN'
  readonly dark: boolean
  readonly phone: boolean
}

export interface Gallery {
  readonly database: Database
  /** The campaign that has taken in most people. */
  readonly campaign: string
  /** Somebody who was written to more than once and came back, by external id. */
  readonly contact: string
  /** What that contact comes to from a message: their preferences, and the link to be left alone. */
  readonly links: { readonly preferences: string; readonly unsubscribe: string }
  /** Opens a page, signed in as an admin, and hands over the window it is in. */
  open(path: string, look: Look): Promise<Page>
}

/** Who looks, and the campaign they plan: gone again when the pictures are taken. */
const VIEWER = 'ada'
export const PLANNED = 'autumn'

/** @throws Error where the demo has left nothing to look at */
export async function withGallery(demo: string, work: (gallery: Gallery) => Promise<void>): Promise<void> {
  linkAssets()
  const environment = { ...readEnvironment(), databaseUrl: undefined, redisUrl: undefined }
  const output = openOutput({ json: false, noColor: true, stdout: process.stdout, stderr: process.stderr })
  const interrupt = new AbortController().signal
  const server = await openEmbedded({ directory: join(demo, '.winback', 'postgres') })
  const begin = { environment, output, cwd: demo, workspaceFile: undefined, interrupt }
  const workspace = (await openWorkspace({ ...begin, clock: manualClock(new Date()) })).loaded.definition
  const database = connect(server.url, { schema: workspace.database.schema, applicationName: 'gallery' })
  try {
    await migrate(database)
    const [last] = await rows<{ at: Date; campaign: string }>(
      database,
      sql`SELECT max(r.finished_at) AS at, r.campaign FROM runs r GROUP BY r.campaign
          ORDER BY (SELECT count(*) FROM episodes e WHERE e.campaign = r.campaign) DESC LIMIT 1`,
    )
    if (!last) throw new Error('the demo has left no run: `npm run demo` first')
    // Two hours later, for nobody is called as early as the run is.
    const clock = manualClock(later(last.at, 2 * 3600))
    const context = await openWorkspace({ ...begin, clock })
    const runtime = await openRuntime({ database, workspace, clock })
    await refreshReports(runtime)
    await forget(database)
    const { userId } = await addUser(database, {
      name: VIEWER,
      role: 'admin',
      now: clock.now(),
      by: 'gallery',
    })
    const { version } = await assertServer(database)
    const desk = openDesk({ ...context, database, engine: { kind: 'embedded', version } })
    const planned = await copyCampaign(join(context.loaded.directory, workspace.campaigns), last.campaign)
    await storePlan(database, await desk.plan(PLANNED), userId, clock.now())
    const lent = await lendCalls(database, last.campaign, clock.now())
    const web = await startWeb({ runtime, desk }, { host: '127.0.0.1', port: 0 })
    const cookie = await signIn(`${web.address}${await issueLink(database, userId, clock.now())}`)
    const browser = await openBrowser()
    try {
      const contact = await storied(database, last.campaign)
      await work({
        ...{ database, campaign: last.campaign, contact, links: await linksOf(database, contact) },
        open: (path, look) => openPage(browser, `${web.address}${path}`, cookie, look),
      })
    } finally {
      await browser.close()
      await web.close(0)
      await forget(database)
      await giveBack(database, lent)
      await rm(planned, { force: true })
      await runtime.close()
    }
  } finally {
    await database.close()
    await server.stop()
  }
}

async function openBrowser(): Promise<Browser> {
  return await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: [
      ...[
        '--headless',
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-sync',
      ],
      '--disable-background-networking',
    ],
  })
}

async function openPage(browser: Browser, url: string, cookie: string, look: Look): Promise<Page> {
  const context = await browser.newContext({
    locale: look.language,
    colorScheme: look.dark ? 'dark' : 'light',
    viewport: look.phone ? { width: 375, height: 780 } : { width: 1160, height: 800 },
    hasTouch: look.phone,
    isMobile: look.phone,
  })
  const [name = '', value = ''] = cookie.split('=')
  await context.addCookies([{ name, value, url: new URL(url).origin }])
  const page = await context.newPage()
  await page.goto(url, { waitUntil: 'networkidle' })
  return page
}

async function signIn(link: string): Promise<string> {
  const body = new URLSearchParams({ password: 'only for the pictures', again: 'only for the pictures' })
  const answer = await fetch(link, { method: 'POST', body, redirect: 'manual' })
  return /winback_session=[^;]+/.exec(answer.headers.getSetCookie().join())?.[0] ?? ''
}

/** The campaign under another name, which has taken in nobody yet: a plan of it has everybody before it. */
async function copyCampaign(folder: string, campaign: string): Promise<string> {
  const source = await readFile(join(folder, `${campaign}.yaml`), 'utf8')
  const file = join(folder, `${PLANNED}.yaml`)
  const text = source
    .replace(/^campaign: .*$/m, `campaign: ${PLANNED}`)
    .replace(/^title: .*$/m, 'title: Autumn recall')
    .replace(/^exclusive: .*$/m, `exclusive: ${PLANNED}`)
  await writeFile(file, text)
  return file
}

/** Leaves the demo as it was. */
async function forget(database: Database): Promise<void> {
  const mine = sql`SELECT user_id FROM users WHERE name = ${VIEWER}`
  await execute(database, sql`DELETE FROM campaign_plans WHERE planned_by IN (${mine})`)
  await execute(database, sql`DELETE FROM audit WHERE actor = ${VIEWER} OR about = ${`user ${VIEWER}`}`)
  await execute(database, sql`DELETE FROM users WHERE name = ${VIEWER}`)
}

/** A call as it stood, whole. */
interface Call {
  readonly callId: number
  readonly row: string
}

/**
 * The demo’s robot has made every call: the last few of people who have been silent ever since are lent to people, to be
 * given back as they were. Who has come back is called no more.
 */
async function lendCalls(database: Database, campaign: string, now: Date): Promise<readonly Call[]> {
  const calls = await rows<Call>(
    database,
    sql`SELECT c.call_id AS "callId", to_jsonb(c)::text AS row
        FROM calls c JOIN episodes e USING (episode_id) JOIN contact_activity a ON a.contact_id = c.contact_id
        WHERE c.campaign = ${campaign} AND e.silenced_by IS NULL AND a.silent_since < c.opened_at
        ORDER BY c.opened_at DESC, c.call_id LIMIT 5`,
  )
  for (const [at, { callId }] of calls.entries()) {
    const due = new Date(now.getTime() + (at * 7 - 4) * 3_600_000)
    const opened = new Date(due.getTime() - 48 * 3_600_000)
    await execute(
      database,
      sql`UPDATE calls SET taker = 'agent', owner = NULL, state = 'open', closed_at = NULL, closed_by = NULL, claimed_by = NULL,
            claimed_at = NULL, opened_at = ${opened}, due_at = ${due}, next_attempt_at = ${opened}
          WHERE call_id = ${callId}`,
    )
  }
  return calls
}

async function giveBack(database: Database, calls: readonly Call[]): Promise<void> {
  for (const { callId, row } of calls) {
    await execute(database, sql`DELETE FROM calls WHERE call_id = ${callId}`)
    await execute(
      database,
      sql`INSERT INTO calls SELECT (jsonb_populate_record(null::calls, ${row}::jsonb)).*`,
    )
  }
}

async function linksOf(database: Database, contact: string): Promise<Gallery['links']> {
  const keys = await readSigningKeys(database)
  const contactId = await findContact(database, contact)
  return {
    preferences: new URL(preferencesUrl({ url: 'http://localhost', keys }, contactId)).pathname,
    unsubscribe: new URL(unsubscribeUrl({ url: 'http://localhost', keys }, { contactId, touchpointId: 1 }))
      .pathname,
  }
}

async function storied(database: Database, campaign: string): Promise<string> {
  const [found] = await rows<{ externalId: string }>(
    database,
    sql`SELECT c.external_id AS "externalId" FROM episodes e JOIN contacts c USING (contact_id)
        JOIN touchpoint_records r USING (contact_id) WHERE e.campaign = ${campaign} AND e.silenced_by = 'returned' AND r.state = 'sent'
        GROUP BY c.external_id ORDER BY abs(count(*) - 3), c.external_id LIMIT 1`,
  )
  return found?.externalId ?? ''
}
