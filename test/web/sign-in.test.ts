import { sql } from 'drizzle-orm'
import type { Hono } from 'hono'
import { beforeAll, beforeEach, expect, test } from 'vitest'
import { type ManualClock, manualClock } from '../../src/clock.ts'
import { type Database, execute, rows } from '../../src/database/connect.ts'
import { waitAfter } from '../../src/web/accounts/sessions.ts'
import { addUser, changeUser, findUser, firstLink, issueLink } from '../../src/web/accounts/users.ts'
import { composeWeb } from '../../src/web/server.ts'
import { freshDatabase } from '../support/database.ts'
import { openShop, WORKSPACE } from '../support/shop.ts'
import { givePassword } from '../support/sign-in.ts'

// Who gets in, who stays in, and who does not.

const PASSWORD = 'a horse, a battery'
let database: Database
let clock: ManualClock
let app: Hono

beforeAll(async () => {
  database = await freshDatabase()
  clock = manualClock(new Date('2026-03-02T08:00:00Z'))
  const shop = await openShop({ database, clock, channels: [] })
  app = composeWeb({ runtime: shop.runtime })
})
beforeEach(async () => {
  clock.set(new Date('2026-03-02T08:00:00Z'))
  await execute(
    database,
    sql`TRUNCATE users, user_links, web_sessions, sign_in_failures, audit, campaign_plans`,
  )
})

async function post(path: string, fields: Record<string, string>, headers: Record<string, string> = {}) {
  return await app.request(path, { method: 'POST', body: new URLSearchParams(fields), headers })
}

const cookieOf = (answer: Response) =>
  /winback_session=[^;]+/.exec(answer.headers.getSetCookie().join('\n'))?.[0] ?? ''

async function welcome(name: string, role: 'viewer' | 'admin'): Promise<string> {
  await addUser(database, { name, role, now: clock.now(), by: 'test' })
  await givePassword(database, name, PASSWORD)
  return cookieOf(await post('/sign-in', { name, password: PASSWORD }))
}

test('a name that no user can have is the name of none, and fails nothing', async () => {
  expect((await post('/sign-in', { name: 'ad\0min', password: PASSWORD })).status).toBe(401)
  // What is left once the escape in its midst is taken out is one, too.
  const split = await app.request('/sign-in', { method: 'POST', body: 'name=ad%%0000min&password=x' })
  expect(split.status).toBe(401)
})

test('the first link sets the admin’s password once, and is printed no more afterwards', async () => {
  const older = (await firstLink(database, clock.now(), 'test')) ?? ''
  const path = (await firstLink(database, clock.now(), 'test')) ?? ''
  expect((await app.request(older)).status).toBe(200)
  expect(await (await app.request(path)).text()).toContain('admin')
  expect((await post(path, { password: 'short', again: 'short' })).status).toBe(422)
  expect((await post(path, { password: PASSWORD, again: `${PASSWORD}!` })).status).toBe(422)
  const set = await post(path, { password: PASSWORD, again: PASSWORD })
  expect(set.status).toBe(303)
  expect(set.headers.getSetCookie().join()).toMatch(/winback_session=.*HttpOnly; SameSite=Lax/)
  for (const used of [path, older])
    expect((await post(used, { password: PASSWORD, again: PASSWORD })).status).toBe(404)
  expect(await firstLink(database, clock.now(), 'test')).toBeUndefined()
  const [kept] = await rows<{ password: string }>(database, sql`SELECT password FROM users`)
  expect(kept?.password).toMatch(/^scrypt\$32768\$8\$3\$/)
})

test('a link that an admin was given stays good where the web starts before it is used, until another is asked for', async () => {
  const user = await addUser(database, { name: 'ada', role: 'admin', now: clock.now(), by: 'test' })
  const given = await issueLink(database, user.userId, clock.now())
  const printed = (await firstLink(database, clock.now(), 'test')) ?? ''
  for (const path of [given, printed]) expect(await (await app.request(path)).text()).toContain('ada')
  const asked = await issueLink(database, user.userId, clock.now())
  for (const path of [given, printed]) expect((await app.request(path)).status).toBe(404)
  const again = (await firstLink(database, clock.now(), 'test')) ?? ''
  // Of two that are opened at once, one sets the password.
  const answers = await Promise.all(
    [asked, again].map((path) => post(path, { password: PASSWORD, again: PASSWORD })),
  )
  expect(answers.map(({ status }) => status).toSorted()).toEqual([303, 404])
  expect(await rows(database, sql`SELECT FROM user_links`)).toEqual([])
})

test('says at the field what is wrong: of a sign-in, and of a password that is too short or typed twice otherwise', async () => {
  const wrong = await (await post('/sign-in', { name: 'admin', password: 'no' })).text()
  expect(wrong).toMatch(/<p[^>]*role="alert"[^>]*id="wrong-sign-in"[^>]*>Name or password is not right/)
  expect(wrong).toMatch(/name="password"[^>]*aria-invalid="true" aria-describedby="wrong-sign-in" autofocus/)
  expect(wrong.match(/autofocus/g)).toHaveLength(1)
  const user = await addUser(database, { name: 'late', role: 'viewer', now: clock.now(), by: 'test' })
  const link = await issueLink(database, user.userId, clock.now())
  const short = await (await post(link, { password: 'short', again: 'short' })).text()
  expect(short).toMatch(/name="password"[^>]*aria-invalid="true" aria-describedby="wrong-password"/)
  const differ = await (await post(link, { password: PASSWORD, again: 'another horse' })).text()
  expect(differ).toMatch(/name="again"[^>]*aria-invalid="true" aria-describedby="wrong-password"/)
})

test('signs in with the right password alone, and says the same of a wrong name and a wrong password', async () => {
  await welcome('ada', 'viewer')
  const wrong = await post('/sign-in', { name: 'ada', password: 'not hers at all' })
  const nobody = await post('/sign-in', { name: 'eve', password: PASSWORD })
  expect([wrong.status, nobody.status]).toEqual([401, 401])
  expect((await wrong.text()).replaceAll('ada', '')).toBe((await nobody.text()).replaceAll('eve', ''))
  const right = await post('/sign-in', { name: ' Ada ', password: PASSWORD, next: '//evil.example/' })
  expect(right.headers.get('location')).toBe('/')
  const kept = await rows<{ sessionHash: string }>(
    database,
    sql`SELECT session_hash AS "sessionHash" FROM web_sessions`,
  )
  expect(kept).not.toEqual([])
  for (const { sessionHash } of kept) expect(cookieOf(right)).not.toContain(sessionHash)
})

test('lets in by a password of any length that could be set', async () => {
  const password = 'x'.repeat(1200)
  const user = await addUser(database, { name: 'ada', role: 'admin', now: clock.now(), by: 'test' })
  const link = await issueLink(database, user.userId, clock.now())
  expect((await post(link, { password, again: password })).status).toBe(303)
  expect((await post('/sign-in', { name: 'ada', password })).status).toBe(303)
})

test('makes a name wait after five failures, even for the right password', async () => {
  await welcome('ada', 'viewer')
  for (let guess = 0; guess < 5; guess += 1)
    await post('/sign-in', { name: 'ada', password: `guess number ${guess}` })
  const early = await post('/sign-in', { name: 'ada', password: PASSWORD })
  expect([early.status, early.headers.get('retry-after')]).toEqual([429, '2'])
  clock.advance(2)
  expect((await post('/sign-in', { name: 'ada', password: PASSWORD })).status).toBe(303)
  expect([0, 4, 5, 6, 60].map((failures) => waitAfter(failures, 5))).toEqual([0, 0, 2000, 4000, 900_000])
})

/** What says that somebody signed in here before. */
const knownOf = (answer: Response) =>
  /winback_known=[^;]+/.exec(answer.headers.getSetCookie().join('\n'))?.[0] ?? ''

test('where somebody signed in before, nobody’s guesses keep them out, and theirs are counted apart', async () => {
  await welcome('eve', 'viewer')
  await welcome('ada', 'viewer')
  const sign = (name: string, password: string, Cookie = '') =>
    post('/sign-in', { name, password }, { Cookie })
  const hers = knownOf(await sign('ada', PASSWORD))
  const another = knownOf(await sign('eve', PASSWORD))
  // A stranger, behind the address that all have.
  await execute(database, sql`DELETE FROM sign_in_failures WHERE true`)
  await execute(
    database,
    sql`INSERT INTO sign_in_failures (key, failures, failed_at)
      VALUES ('from:unknown', 400, ${clock.now()}), ('name:ada', 400, ${clock.now()})`,
  )
  for (const cookie of ['', another, 'winback_known=forged', `${hers}x`]) {
    expect((await sign('ada', PASSWORD, cookie)).status).toBe(429)
  }
  expect((await sign('ada', PASSWORD, hers)).status).toBe(303)
  // It lets nobody in, and has no more guesses than a name has.
  const tried: number[] = []
  for (let guess = 0; guess < 6; guess += 1)
    tried.push((await sign('ada', `guess number ${guess}`, hers)).status)
  expect(tried).toEqual([401, 401, 401, 401, 401, 429])
  clock.advance(2)
  expect((await sign('ada', PASSWORD, hers)).status).toBe(303)
  const counted = await rows(database, sql`SELECT key, failures FROM sign_in_failures ORDER BY key`)
  expect(counted).toEqual([
    { key: 'from:unknown', failures: 400 },
    { key: 'name:ada', failures: 400 },
  ])
  expect((await app.request('/audit', { headers: { Cookie: hers } })).status).toBe(303)
})

test('a browser is known by the link that set its password, and for half a year', async () => {
  const user = await addUser(database, { name: 'ada', role: 'admin', now: clock.now(), by: 'test' })
  const link = await issueLink(database, user.userId, clock.now())
  const Cookie = knownOf(await post(link, { password: PASSWORD, again: PASSWORD }))
  const lock = () =>
    execute(
      database,
      sql`INSERT INTO sign_in_failures (key, failures, failed_at) VALUES ('name:ada', 400, ${clock.now()})
        ON CONFLICT (key) DO UPDATE SET failed_at = excluded.failed_at`,
    )
  const sign = async () => (await post('/sign-in', { name: 'ada', password: PASSWORD }, { Cookie })).status
  await lock()
  expect(await sign()).toBe(303)
  clock.advance(181 * 86_400)
  await lock()
  expect(await sign()).toBe(429)
})

test('of many guesses at once as many are tried as one after the other', async () => {
  await welcome('ada', 'viewer')
  const guesses = Array.from({ length: 12 }, (_, no) =>
    post('/sign-in', { name: 'ada', password: `guess number ${no}` }),
  )
  const tried = (await Promise.all(guesses)).map(({ status }) => status).sort()
  expect(tried).toEqual([...Array<number>(5).fill(401), ...Array<number>(7).fill(429)])
})

test('a session ends twelve hours after the last click, with the sign-out, and when its user is shut out', async () => {
  const admin = await welcome('root', 'admin')
  const look = async (cookie: string) => (await app.request('/audit', { headers: { Cookie: cookie } })).status
  expect(await look('')).toBe(303)
  expect(await look(admin)).toBe(200)
  clock.advance(11 * 3600)
  expect(await look(admin)).toBe(200)
  clock.advance(11 * 3600)
  expect(await look(admin)).toBe(200)
  clock.advance(13 * 3600)
  expect(await look(admin)).toBe(303)

  const again = cookieOf(await post('/sign-in', { name: 'root', password: PASSWORD }))
  const [session] = await rows<{ csrf: string }>(
    database,
    sql`SELECT csrf FROM web_sessions ORDER BY created_at DESC LIMIT 1`,
  )
  expect((await post('/sign-out', { csrf: 'guessed' }, { Cookie: again })).status).toBe(403)
  const csrf = session?.csrf ?? ''
  expect((await post('/sign-out', { csrf }, { Cookie: again, 'Sec-Fetch-Site': 'cross-site' })).status).toBe(
    403,
  )
  expect(
    (await post('/sign-out', { csrf }, { Cookie: again, Origin: 'https://evil.example', Host: 'here' }))
      .status,
  ).toBe(403)
  expect(await look(again)).toBe(200)
  // Whoever sends a form signed out comes back to the page it stood on.
  const late = { Referer: 'http://here/campaigns/spring?a=1', 'Sec-Fetch-Site': 'same-origin' }
  expect((await post('/campaigns/spring/pause', {}, late)).headers.get('Location')).toBe(
    '/sign-in?next=%2Fcampaigns%2Fspring%3Fa%3D1&lost=1',
  )
  const nowhere = await post('/campaigns/spring/pause', {}, { ...late, Referer: 'http://[' })
  expect([nowhere.status, nowhere.headers.get('Location')]).toEqual([303, '/sign-in?lost=1'])
  // And is told that it was not taken, unless they wanted out, or another site sent it.
  expect(await (await app.request('/sign-in?lost=1')).text()).toContain(
    'Nothing was changed: you had been signed out.',
  )
  expect(await (await app.request('/sign-in')).text()).not.toContain('Nothing was changed')
  const out = { ...late, Referer: 'http://here/' }
  expect((await post('/sign-out', {}, out)).headers.get('Location')).toBe('/sign-in')
  const theirs = { ...late, 'Sec-Fetch-Site': 'cross-site' }
  expect((await post('/campaigns/spring/pause', {}, theirs)).headers.get('Location')).toBe('/sign-in')
  // A sign-in by another site's form is told so, and is not told that the password is wrong.
  const foreign = await post(
    '/sign-in',
    { name: 'root', password: PASSWORD },
    { Origin: 'null', Host: 'here' },
  )
  expect([foreign.status, foreign.headers.getSetCookie()]).toEqual([403, []])
  expect(await foreign.text()).toContain('This form was not sent by this page.')
  expect((await post('/sign-out', { csrf }, { Cookie: again })).status).toBe(303)
  expect(await look(again)).toBe(303)

  const other = await welcome('second', 'admin')
  const user = await findUser(database, 'second')
  await changeUser(database, user?.userId ?? 0, { disabled: true, now: clock.now() })
  expect(await look(other)).toBe(303)
  expect((await post('/sign-in', { name: 'second', password: PASSWORD })).status).toBe(401)
})

test('a cookie is for https alone where the browser is there by https: over http it would keep none, and be asked again', async () => {
  await welcome('root', 'admin')
  const workspace = `${WORKSPACE}\nweb: { url: https://winback.example.com }\n`
  const shop = await openShop({ database, clock, channels: [], workspace })
  const behind = composeWeb({ runtime: shop.runtime })
  const isSecure = async (headers: Record<string, string>) => {
    const body = new URLSearchParams({ name: 'root', password: PASSWORD })
    const answer = await behind.request('/sign-in', { method: 'POST', body, headers })
    expect(answer.status).toBe(303)
    return answer.headers.getSetCookie().join().includes('Secure')
  }
  expect(await isSecure({ Origin: 'https://winback.example.com' })).toBe(true)
  expect(await isSecure({ Origin: 'http://10.0.0.5:7420', Host: '10.0.0.5:7420' })).toBe(false)
  // An old browser, or a program.
  expect(await isSecure({})).toBe(true)
})

test('who is shut out and let in again does not come in by a link of before', async () => {
  await welcome('root', 'admin')
  const ada = await addUser(database, { name: 'ada', role: 'viewer', now: clock.now(), by: 'test' })
  const path = await issueLink(database, ada.userId, clock.now())
  for (const disabled of [true, false]) await changeUser(database, ada.userId, { disabled, now: clock.now() })
  expect((await app.request(path)).status).toBe(404)
})

test('the last admin stays', async () => {
  await welcome('root', 'admin')
  const root = await findUser(database, 'root')
  const change = (how: { role?: 'viewer'; disabled?: boolean }) =>
    changeUser(database, root?.userId ?? 0, { ...how, now: clock.now() })
  await expect(change({ role: 'viewer' })).rejects.toMatchObject({ code: 'users.last_admin' })
  await expect(change({ disabled: true })).rejects.toMatchObject({ code: 'users.last_admin' })
})

test('somebody else may be shut out before there is an admin', async () => {
  await execute(database, sql`DELETE FROM users WHERE role = 'admin'`)
  await welcome('olga', 'viewer')
  const olga = await findUser(database, 'olga')
  await changeUser(database, olga?.userId ?? 0, { disabled: true, now: clock.now() })
  expect(await findUser(database, 'olga')).toMatchObject({ disabledAt: clock.now() })
})

test('speaks the browser’s language until another is chosen, and lets nothing in from another host', async () => {
  const english = await app.request('/sign-in')
  const policy = english.headers.get('content-security-policy') ?? ''
  expect(policy).toContain("default-src 'none'")
  expect(policy).not.toMatch(/unsafe|script-src|https?:/)
  expect(await english.text()).toContain('Password')
  const chinese = await app.request('/sign-in', { headers: { 'Accept-Language': 'zh-CN,zh;q=0.9' } })
  expect(await chinese.text()).toContain('密码')
  const chosen = await app.request('/language/en?next=/sign-in')
  expect(chosen.headers.get('location')).toBe('/sign-in')
  expect((await app.request('/language/en?next=https://evil.example')).headers.get('location')).toBe('/')
})

test('a role that may not is told so, and nothing is shown', async () => {
  const viewer = await welcome('ada', 'viewer')
  const refused = await app.request('/audit', { headers: { Cookie: viewer } })
  expect(refused.status).toBe(403)
  expect(await refused.text()).toContain('Not for your role')
})
