import { sql } from 'drizzle-orm'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import { openCallback } from '../../src/channels/callback/callback.ts'
import { type ManualClock, manualClock } from '../../src/clock.ts'
import { pause as pauseSwitch, resume as resumeSwitch } from '../../src/config/switches.ts'
import { execute, rows } from '../../src/database/connect.ts'
import { processBatch } from '../../src/touchpoints/batch.ts'
import { dispatchDue } from '../../src/touchpoints/dispatch.ts'
import { startWeb, type WebServer } from '../../src/web/server.ts'
import { hasBrowser, LANGUAGES, lookAt, openWindow, WIDE } from '../support/browser.ts'
import { freshDatabase } from '../support/database.ts'
import { openShop, parseWorkspace, type Shop, TEMPLATES, WORKSPACE } from '../support/shop.ts'
import { formOf, givePassword, signIn } from '../support/sign-in.ts'

// The queue of calls as agents work through it: by keyboard, by mouse, two of them at once.

const START = new Date('2026-03-10T09:00:00Z')
const CAMPAIGN = `
version: 1
campaign: calling
title: Calling
priority: 70
schedule: "0 9 * * *"
timezone: UTC
goals: { recall: { event: session } }
window: 30d
holdout: 0%
limits: { spread: 0s, max_delay: 2d }
tiers:
  - name: quiet
    inactive: 3d..20d
    steps:
      - { id: call, channel: callback, script: adviser, sla: 24h, capacity: 50 per day }
`
const PEOPLE = 12
const PASSWORD = 'a horse, a battery'

let shop: Shop
let clock: ManualClock
let server: WebServer
const cookies = { ada: '', bo: '', viewer: '' }

const get = async (path: string, who: keyof typeof cookies) =>
  await fetch(`${server.address}${path}`, { headers: { Cookie: cookies[who] }, redirect: 'manual' })
const post = (path: string, who: keyof typeof cookies, fields: Record<string, string> = {}) =>
  formOf(shop.database, server.address, { name: who, cookie: cookies[who] })(path, fields)
const placeOf = (answer: Response) => answer.headers.get('Location') ?? ''
const noteOf = (answer: Response) =>
  decodeURIComponent(/winback_note=([^;]*)/.exec(answer.headers.getSetCookie().join())?.[1] ?? '')
const attempts = async () =>
  await rows<{ outcome: string; by: string; reason: string | null; seconds: number; notes: string | null }>(
    shop.database,
    sql`SELECT outcome, made_by AS by, reason, seconds, notes FROM call_attempts ORDER BY made_at, contact_id`,
  )

beforeAll(async () => {
  clock = manualClock(START)
  const workspace = WORKSPACE.replace('channels:\n', 'channels:\n  callback: { wage: "60" }\n')
  const { channels } = parseWorkspace(workspace)
  if (!channels.callback) throw new Error('no channel')
  shop = await openShop({
    database: await freshDatabase(),
    clock,
    channels: [openCallback(channels.callback)],
    workspace,
    templates: { ...TEMPLATES, 'adviser.en.hbs': '<p>Ask what {{workspace.name}} could do better</p>\n' },
  })
  const ids = Array.from({ length: PEOPLE }, (_, no) => `u${no + 1}`)
  await shop.importContacts(
    ids.map((id, no) => ({
      external_id: id,
      phone: `+86138001380${10 + no}`,
      first_name: `Li ${no + 1}`,
      timezone: 'Asia/Shanghai',
    })),
  )
  await shop.importActivity(
    ids.map((id) => ({ external_id: id, type: 'session', occurred_at: '2026-03-06T00:00:00Z' })),
  )
  await shop.apply(CAMPAIGN)
  await shop.run('calling')
  await dispatchDue(shop.database, { now: clock.now(), jobs: 100 }, async (batch) => {
    await processBatch(shop.runtime.worker, batch)
  })
  server = await startWeb({ runtime: shop.runtime }, { host: '127.0.0.1', port: 0 })
  cookies.ada = await signIn(shop.database, 'ada', 'agent', START)
  cookies.bo = await signIn(shop.database, 'bo', 'agent', START)
  cookies.viewer = await signIn(shop.database, 'viewer', 'viewer', START)
})
afterAll(async () => {
  await server.close(0)
  await shop.runtime.close()
})

describe('without a script', () => {
  it('is for agents: a viewer neither finds the page nor may open it', async () => {
    expect(await (await get('/campaigns', 'viewer')).text()).not.toContain('href="/calls"')
    expect((await get('/calls', 'viewer')).status).toBe(403)
    expect((await post('/calls/next', 'viewer')).status).toBe(403)
    expect(await (await get('/campaigns', 'ada')).text()).toContain('href="/calls"')
  })

  it('takes the most urgent, shows the number to whoever took it alone, and records what became of it', async () => {
    const queue = await (await get('/calls', 'ada')).text()
    expect(queue).toContain('138****8010')
    expect(queue).toContain('24 h left')
    expect(queue).toContain('to win back · silent for 4 days')
    const place = placeOf(await post('/calls/next', 'ada'))
    expect(await (await get(place, 'bo')).text()).not.toContain('+8613800138010')
    const task = await (await get(place, 'ada')).text()
    expect(task).toContain('href="tel:+8613800138010"')
    // The number is the first thing, however long the script.
    expect(task.indexOf('href="tel:')).toBeLessThan(task.indexOf('What to say'))
    // What they ring goes with what they report.
    expect(task).toContain('name="phone" value="+8613800138010"')
    expect(task).toContain('Ask what Shop could do better')
    expect(task).toContain('it is 17:00 where they are')
    // Nobody leaves a report they are filling in to read more.
    expect(task).toMatch(/<a href="\/contacts\/u\d+" target="_blank">The whole story, in another tab<\/a>/)
    expect(await (await get(place, 'bo')).text()).not.toContain('_blank')
    // Who holds one is not given another.
    expect(placeOf(await post('/calls/next', 'ada'))).toBe(place)
    const report = {
      outcome: 'promised',
      reason: 'price',
      minutes: '4.5',
      sentiment: 'positive',
      notes: 'Asks for tea',
      attempt: /name="attempt" value="([^"]+)"/.exec(task)?.[1] ?? '',
      then: 'queue',
    }
    expect(noteOf(await post(`${place}/outcome`, 'ada', report))).toBe('Recorded.')
    await post(`${place}/outcome`, 'ada', report)
    expect(await attempts()).toEqual([
      { outcome: 'promised', by: 'ada', reason: 'price', seconds: 270, notes: 'Asks for tea' },
    ])
    expect(await (await get(place, 'bo')).text()).toContain('This call is over: Will come back.')
  })

  it('tells kindly that somebody was quicker, and that there is nothing left to call for', async () => {
    const place = placeOf(await post('/calls/next', 'ada'))
    expect(noteOf(await post(`${place}/take`, 'bo'))).toBe(
      'ada took this call a moment before you. Take the next one.',
    )
    expect(await (await get(place, 'bo')).text()).toContain('ada has taken this call')
    expect(noteOf(await post(`${place}/release`, 'bo'))).toContain('no such call')
    expect(noteOf(await post(`${place}/release`, 'ada'))).toBe('It is in the queue again.')
    await post(`${place}/take`, 'bo')
    await shop.importActivity([
      { external_id: 'u2', type: 'session', occurred_at: clock.now().toISOString() },
    ])
    expect(noteOf(await post(`${place}/take`, 'ada'))).toBe(
      'Nobody need call any more: they came back by themselves.',
    )
    expect(noteOf(await post('/calls/call-zz-zz/take', 'ada'))).toContain('no such call')
  })

  it('offers a call that was taken two hours ago and never told of to everybody, and to its agent once', async () => {
    const place = placeOf(await post('/calls/next', 'ada'))
    const lines = async (who: 'ada' | 'bo') =>
      (await (await get('/calls', who)).text()).split(`href="${place}"`).length - 1
    expect([await lines('ada'), await lines('bo')]).toEqual([1, 0])
    expect(await (await get('/calls', 'bo')).text()).toContain('1 taken by others, 0 for later.')
    clock.advance(2 * 3600)
    expect([await lines('ada'), await lines('bo')]).toEqual([1, 1])
    expect(await (await get('/calls', 'bo')).text()).not.toContain('taken by others')
    const page = await (await get(place, 'bo')).text()
    expect(page).not.toContain('There is nothing for you to do here')
    expect(page).toContain(`action="${place}/take"`)
    await post(`${place}/release`, 'ada')
  })

  it('does not tell of a call that can be made now as one for later, however long the queue', async () => {
    await execute(
      shop.database,
      sql`INSERT INTO calls (contact_id, touchpoint_id, episode_id, step_id, campaign, kind, script, taker, priority,
            state, opened_at, due_at, next_attempt_at)
          SELECT contact_id, -no, episode_id, step_id, campaign, kind, script, taker, priority, state, opened_at,
            due_at, next_attempt_at + CASE WHEN no > 60 THEN interval '1 day' ELSE interval '0' END
          FROM (SELECT * FROM calls WHERE state = 'open' LIMIT 1) c, generate_series(1, 63) no`,
    )
    const page = await (await get('/calls', 'bo')).text()
    await execute(shop.database, sql`DELETE FROM calls WHERE touchpoint_id < 0`)
    expect(page).toContain('The first 50.')
    expect(page).toContain('0 taken by others, 3 for later.')
  })

  it('says what is missing of a report, and keeps a time for the next attempt in the workspace’s zone', async () => {
    const place = placeOf(await post('/calls/next', 'ada'))
    const wrong = async (fields: Record<string, string>) => {
      const answer = await post(`${place}/outcome`, 'ada', fields)
      const page = await answer.text()
      const [, words] = /<p[^>]*id="wrong-report"[^>]*>([^<]*)</.exec(page) ?? []
      const field = /<\w+[^>]*name="(\w+)"[^>]*aria-describedby="wrong-report"/.exec(page)?.[1]
      return `${answer.status} ${field}: ${words}`
    }
    expect([
      await wrong({}),
      await wrong({ outcome: 'reached', minutes: 'x' }),
      await wrong({ outcome: 'reached', reason: 'weather' }),
      await wrong({ outcome: 'reached', sentiment: 'odd' }),
      await wrong({ outcome: 'reached', notes: 'x'.repeat(5001) }),
      await wrong({ outcome: 'call_back', next: 'soon' }),
      await wrong({ outcome: 'call_back', next: '2020-03-12T10:00' }),
      await wrong({ outcome: 'promised', next: '2026-03-12T10:00' }),
      await wrong({ outcome: 'reached', phone: '1'.repeat(41) }),
    ]).toEqual([
      '422 outcome: Choose what became of the call.',
      '422 minutes: Minutes are a number from 0 to 600.',
      '422 reason: Choose a reason of the list.',
      '422 sentiment: Choose how they sounded, of the three.',
      '422 notes: Notes have at most 5,000 characters.',
      '422 next: Choose a time that is still to come.',
      '422 next: Choose a time that is still to come.',
      '422 next: They are called again after “No answer” and “Call again later” alone: choose one of these, or no time.',
      '422 undefined: Not recorded: look at phone again.',
    ])
    await post(`${place}/outcome`, 'ada', { outcome: 'call_back', next: '2026-03-12T10:00' })
    const [next] = await rows<{ at: Date }>(
      shop.database,
      sql`SELECT next_attempt_at AS at FROM calls WHERE attempts = 1 AND state = 'open'`,
    )
    const zone = shop.runtime.workspace.timezone
    expect(next?.at.toLocaleString('sv', { timeZone: zone })).toBe('2026-03-12 10:00:00')
  })

  it('takes another report by the same form for none, says so, and records it once it is sent anew', async () => {
    clock.advance(60)
    const before = (await attempts()).length
    const made = async () => (await attempts()).slice(before)
    const place = placeOf(await post('/calls/next', 'ada'))
    const attempt = /name="attempt" value="([^"]+)"/.exec(await (await get(place, 'ada')).text())?.[1] ?? ''
    expect(noteOf(await post(`${place}/outcome`, 'ada', { outcome: 'no_answer', attempt }))).toBe('Recorded.')
    // As in a second tab, which was open before.
    const wish = { outcome: 'wrong_number', notes: 'is a baker', attempt }
    const answer = await post(`${place}/outcome`, 'ada', wish)
    const page = await answer.text()
    expect(answer.status).toBe(422)
    expect(page).toContain('recorded before, as “No answer”, and what stands here was not')
    expect(page).toContain('>is a baker</textarea>')
    expect(await made()).toMatchObject([{ outcome: 'no_answer' }])
    clock.advance(60)
    const anew = /name="attempt" value="([^"]+)"/.exec(page)?.[1] ?? ''
    expect(noteOf(await post(`${place}/outcome`, 'ada', { ...wish, attempt: anew }))).toBe('Recorded.')
    await post(`${place}/outcome`, 'ada', { ...wish, attempt: anew })
    expect(await made()).toMatchObject([
      { outcome: 'no_answer' },
      { outcome: 'wrong_number', notes: 'is a baker' },
    ])
  })
})

test('a report that cannot be taken is shown again with all that was typed, in the language of who typed it', async () => {
  const place = placeOf(await post('/calls/next', 'ada'))
  const typed = {
    outcome: 'reached',
    reason: 'price',
    sentiment: 'negative',
    minutes: '7.5',
    notes: 'Wants <less>\nand a better price',
    next: '2020-03-12T10:00',
    attempt: 'the first report',
    phone: '+8613800138099',
  }
  const page = await (await post(`${place}/outcome`, 'ada', typed)).text()
  for (const part of [
    /<input type="radio" name="outcome" value="reached"[^>]* checked/,
    /<option value="price" selected/,
    /<input type="radio" name="sentiment" value="negative" checked/,
    /<input name="minutes"[^>]* value="7.5"/,
    />Wants &lt;less&gt;\nand a better price<\/textarea>/,
    /<input name="next"[^>]* value="2020-03-12T10:00" aria-invalid="true" aria-describedby="wrong-report" autofocus/,
    /name="attempt" value="the first report"/,
    /name="phone" value="\+8613800138099"/,
    /<script/,
  ]) {
    expect(page).toMatch(part)
  }
  // Whose call it is not is shown what they typed, and no number that they did not have.
  const other = await (await post(`${place}/outcome`, 'bo', { notes: 'mine' })).text()
  expect(other).toContain('>mine</textarea>')
  expect(other).not.toMatch(/name="phone"|\+86138001380/)
  cookies.ada += '; winback_language=zh-CN'
  expect(await (await post(`${place}/outcome`, 'ada')).text()).toContain('请选择通话结果。')
  cookies.ada = cookies.ada.replace(/; .*/, '')
  await post(`${place}/release`, 'ada')
})

test('notes are as long as their field lets them be, each line of it by one character', async () => {
  const place = placeOf(await post('/calls/next', 'ada'))
  const notes = 'x'.repeat(4900) + '\ny'.repeat(50)
  const sent = { outcome: 'no_answer', notes: notes.replaceAll('\n', '\r\n') }
  expect(noteOf(await post(`${place}/outcome`, 'ada', sent))).toBe('Recorded.')
  expect((await attempts()).filter((each) => each.notes === notes)).toHaveLength(1)
})

test('who took, gave back and reported a call stands in the audit, by the contact’s internal id', async () => {
  const entries = await rows<{ actor: string; action: string }>(
    shop.database,
    sql`SELECT DISTINCT actor, action FROM audit WHERE action LIKE 'call.%' AND about LIKE 'contact %' ORDER BY 1, 2`,
  )
  expect(entries).toEqual([
    { actor: 'ada', action: 'call.outcome' },
    { actor: 'ada', action: 'call.release' },
    { actor: 'ada', action: 'call.take' },
    { actor: 'bo', action: 'call.take' },
  ])
})

describe.runIf(hasBrowser)('in a browser', () => {
  it('names its keys where a script listens to them alone', async () => {
    const keysShown = async (off: boolean) => {
      const look = { language: 'en', ...WIDE } as const
      const { context, page } = await openWindow(server.address, cookies.ada, look, [])
      const debug = await context.newCDPSession(page)
      await debug.send('Emulation.setScriptExecutionDisabled', { value: off })
      await page.goto(`${server.address}/calls`)
      const shown = [await page.locator('p.keys').isVisible(), await page.locator('button kbd').isVisible()]
      await context.close()
      return shown
    }
    expect(await keysShown(false)).toEqual([true, true])
    expect(await keysShown(true)).toEqual([false, false])
  })

  it('has names that a thumb hits on a telephone, were they of one letter', async () => {
    const phone = { language: 'en', scheme: 'light', width: 360 } as const
    const { context, page } = await openWindow(server.address, cookies.ada, phone, [])
    await page.goto(`${server.address}/calls`)
    await page.evaluate(`document.querySelector('[data-row]').textContent = '磊'`)
    const box = await page.locator('[data-row]').first().boundingBox()
    expect(box?.width).toBeGreaterThanOrEqual(44)
    expect(box?.height).toBeGreaterThanOrEqual(28)
    await context.close()
  })

  it('is worked through by keyboard: next, a digit for the outcome, minutes, notes, Ctrl+Enter', async () => {
    const found: string[] = []
    const { context, page } = await openWindow(
      server.address,
      cookies.ada,
      { language: 'en', ...WIDE },
      found,
    )
    await page.goto(`${server.address}/calls`)
    const [first, second] = await page.locator('[data-row]').allTextContents()
    await page.keyboard.press('j')
    await page.keyboard.press('j')
    expect(await focused(page)).toBe(second)
    await page.keyboard.press('k')
    expect(await focused(page)).toBe(first)
    await page.keyboard.press('Enter')
    await page.waitForURL(/calls\/call-/)
    await page.keyboard.press('b')
    await page.waitForURL(/calls$/)
    await page.keyboard.press('n')
    await page.waitForURL(/calls\/call-/)
    const before = await attempts()
    await page.keyboard.press('4')
    await page.keyboard.press('m')
    await page.keyboard.type('2')
    await page.keyboard.press('Escape')
    await page.keyboard.press('o')
    await page.keyboard.type('n, j and 4 are letters here')
    const here = page.url()
    await page.keyboard.press('Control+Enter')
    await page.waitForURL((url) => url.href !== here)
    const after = await attempts()
    expect(after).toHaveLength(before.length + 1)
    expect(after).toContainEqual({
      ...{ outcome: 'no_answer', by: 'ada', reason: null },
      ...{ seconds: 120, notes: 'n, j and 4 are letters here' },
    })
    // Straight on to the next.
    expect(page.url()).toMatch(/calls\/call-/)
    await context.close()
    expect(found).toEqual([])
  }, 60_000)

  it('has no complaint of the console or of axe, queue and call, in any language, width or light', async () => {
    const place = placeOf(await post('/calls/next', 'ada'))
    const found: string[] = []
    for (const language of LANGUAGES) {
      const { context, page } = await openWindow(server.address, cookies.ada, { language, ...WIDE }, found)
      for (const path of ['/calls', place]) {
        await page.goto(`${server.address}${path}`)
        found.push(...(await lookAt(page)).map((problem) => `${path} ${language} ${problem}`))
      }
      await context.close()
    }
    expect(found).toEqual([])
  }, 60_000)

  it('tells what is wrong of a report where it is seen: on a telephone the head of the form is far above', async () => {
    const found: string[] = []
    const phone = { language: 'en', scheme: 'light', width: 360 } as const
    const { context, page } = await openWindow(server.address, cookies.ada, phone, [])
    await page.setViewportSize({ width: 360, height: 640 })
    await page.goto(`${server.address}/calls`)
    await page.click('form[action="/calls/next"] button')
    await page.waitForURL(/calls\/call-/)
    const place = page.url()
    for (const [field, typed] of [
      ['next', '2020-01-01T10:00'],
      ['minutes', '601'],
    ] as const) {
      await page.check('[value=call_back]')
      await page.fill(`[name=${field}]`, typed)
      // As a browser sends it that checks nothing itself.
      await page.evaluate(`document.querySelector('form[data-main]').noValidate = true`)
      await page.click('button[value=queue]')
      await page.waitForURL(/outcome$/)
      await page.waitForFunction(`scrollY > 0 && document.activeElement.name === '${field}'`)
      const [above, below] = (await page.evaluate(`(() => {
        const { top, bottom } = document.querySelector('[role=alert]').getBoundingClientRect()
        return [top, innerHeight - bottom]
      })()`)) as [number, number]
      if (above < 0 || below < 0) found.push(`${field}: ${above} from above, ${below} from below`)
      await page.goto(place)
    }
    await context.close()
    expect(found).toEqual([])
  }, 60_000)

  it('sends the report of whoever is signed out while they type, once they are in again', async () => {
    const cookie = await signIn(shop.database, 'eve', 'agent', clock.now())
    await givePassword(shop.database, 'eve', PASSWORD)
    const end = async () =>
      await execute(
        shop.database,
        sql`DELETE FROM web_sessions s USING users u WHERE u.user_id = s.user_id AND u.name = 'eve'`,
      )
    const signInBy = async (tab: Page, password: string) => {
      await tab.fill('[name=name]', 'eve')
      await tab.fill('[name=password]', password)
      await tab.click('main button')
    }
    const { context, page } = await openWindow(server.address, cookie, { language: 'en', ...WIDE }, [])
    await page.goto(`${server.address}/calls`)
    await page.click('form[action="/calls/next"] button')
    const notes = 'Minutes of notes,\nin "two" lines & more'
    await page.check('[value=call_back]')
    await page.fill('[name=notes]', notes)
    await end()
    await page.click('button[value=queue]')
    expect(await page.textContent('[role=alert]')).toContain('What you filled in is kept')
    // A password that is mistyped loses nothing either.
    for (const password of ['mistyped', PASSWORD]) await signInBy(page, password)
    await page.click('text=Send it now')
    await page.waitForURL(`${server.address}/calls`)
    // Signed in anew in another tab: the form of before is taken by another press, too.
    await page.click('form[action="/calls/next"] button')
    await page.check('[value=call_back]')
    await page.fill('[name=notes]', 'of the other tab')
    await end()
    const tab = await context.newPage()
    await tab.goto(`${server.address}/sign-in`)
    await signInBy(tab, PASSWORD)
    await tab.waitForURL(`${server.address}/`)
    await page.click('button[value=queue]')
    await page.click('text=Send it now')
    await page.waitForURL(`${server.address}/calls`)
    const told = (await attempts()).filter(({ by }) => by === 'eve')
    expect(told).toMatchObject([
      { outcome: 'call_back', notes },
      { outcome: 'call_back', notes: 'of the other tab' },
    ])
    await end()
    // What another site sends is not kept.
    const foreign = await fetch(`${page.url()}/call-1-1/outcome`, {
      method: 'POST',
      body: 'notes=theirs',
      headers: { 'Sec-Fetch-Site': 'cross-site' },
      redirect: 'manual',
    })
    expect([foreign.status, foreign.headers.get('Location')]).toEqual([303, '/sign-in'])
    await context.close()
  }, 60_000)

  it('stays current while it is looked at: what becomes due brings its button, and the focus stays', async () => {
    const cookie = await signIn(shop.database, 'flo', 'agent', clock.now())
    const { context, page } = await openWindow(server.address, cookie, { language: 'en', ...WIDE }, [])
    await page.clock.install()
    const pause = { scope: 'campaign', name: 'calling' } as const
    await pauseSwitch(shop.database, pause, { reason: 'a price', clock })
    await page.goto(`${server.address}/calls`)
    expect(await page.textContent('main')).toContain('Nobody is to be called now')
    expect(await page.locator('main button').count()).toBe(0)
    await resumeSwitch(shop.database, pause)
    await page.clock.fastForward(31_000)
    await page.focus('form[action="/calls/next"] button')
    await page.evaluate(`document.querySelector('[data-live] form').id = 'before'`)
    await page.clock.fastForward(31_000)
    await page.waitForSelector('[data-live] form:not(#before)')
    expect(await focused(page)).toContain('Take the next')
    await page.keyboard.press('n')
    await page.waitForURL(/calls\/call-/)
    await context.close()
  }, 60_000)

  it('stays current with the keys off, which are neither named nor heard, and says when one is signed out', async () => {
    const cookie = await signIn(shop.database, 'guy', 'agent', clock.now())
    const { context, page } = await openWindow(server.address, cookie, { language: 'en', ...WIDE }, [])
    await page.clock.install()
    await page.goto(`${server.address}/calls?keys=off`)
    await page.goto(`${server.address}/calls`)
    expect(await page.locator('kbd, [aria-keyshortcuts]').count()).toBe(0)
    await page.evaluate(`document.querySelector('[data-live] form').id = 'before'`)
    await page.keyboard.press('j')
    expect(await page.evaluate('document.activeElement === document.body')).toBe(true)
    await page.clock.fastForward(31_000)
    await page.waitForSelector('[data-live] form:not(#before)')
    await page.click('form[action="/calls/next"] button')
    await page.waitForURL(/calls\/call-/)
    expect(await page.locator('kbd, [aria-keyshortcuts]').count()).toBe(0)
    await page.click('form[action$="/release"] button')
    await page.waitForURL(/calls$/)
    await execute(
      shop.database,
      sql`DELETE FROM web_sessions s USING users u WHERE u.user_id = s.user_id AND u.name = 'guy'`,
    )
    await page.clock.fastForward(31_000)
    await page.waitForURL(/sign-in\?next=%2Fcalls$/)
    await context.close()
  }, 60_000)
})

const focused = async (page: Page) => await page.evaluate('document.activeElement?.textContent')
