import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { type Look, PLANNED, withGallery } from './gallery.ts'

// The pictures of docs/screenshots. With a folder as argument: every page, as a phone in the dark shows it in Chinese
// and as a desk shows it in English, whole, to be looked through after a change of the style sheet; with a word after
// it, those pages alone whose path has it.

/** Takes the most urgent call. */
const NEXT_CALL = 'form[action="/calls/next"] button'
const DEMO = resolve('.winback', 'demo')
const WIDE: Look = { language: 'en', dark: false, phone: false }
const PHONE: Look = { language: 'zh-CN', dark: true, phone: true }

const [, , walk, only] = process.argv
await withGallery(DEMO, async ({ campaign, contact, links, open }) => {
  const of = `/campaigns/${campaign}`
  const folder = walk === undefined ? resolve('docs', 'screenshots') : resolve(walk)
  await mkdir(folder, { recursive: true })
  const take = async (
    file: string,
    path: string,
    look: Look,
    whole: boolean,
    { press, from, height: tall }: { press?: string; from?: string; height?: number } = {},
  ) => {
    const page = await open(path, look)
    if (press !== undefined) {
      await page.click(press)
      await page.waitForLoadState('networkidle')
    }
    // A window as high as the page: a frame outside of the window is not painted.
    if (whole) {
      const height = Number(await page.evaluate('document.documentElement.scrollHeight'))
      await page.setViewportSize({ width: page.viewportSize()?.width ?? 0, height })
      await page.waitForTimeout(200)
    }
    if (tall !== undefined) {
      await page.setViewportSize({ width: page.viewportSize()?.width ?? 0, height: tall })
    }
    // The picture begins there, and not at the head of the page.
    if (from !== undefined) {
      await page
        .locator(from)
        .first()
        .evaluate((element) => element.scrollIntoView())
    }
    await page.screenshot({ path: join(folder, `${file}.png`) })
    process.stdout.write(`${join(folder, file)}.png\n`)
    await page.context().close()
  }
  if (walk === undefined) {
    await take('monday', `/?campaign=${campaign}`, WIDE, false, { height: 1300 })
    await take('lift', `${of}/reports/lift`, WIDE, false)
    await take('plan', `/campaigns/${PLANNED}#plan`, WIDE, false)
    await take('ladder', of, WIDE, false, { height: 1150 })
    await take('contact', `/contacts/${contact}`, WIDE, false, { from: '.story li.done' })
    await take('monday-phone', `/?campaign=${campaign}`, PHONE, false, { from: 'main > h2' })
    await take('calls-phone', '/calls', { ...PHONE, language: 'en' }, false)
    await take('call', '/calls', WIDE, false, { press: NEXT_CALL })
    return
  }
  const reports = ['monday', 'funnel', 'lift', 'cost', 'delivery', 'offers', 'reasons']
  const pages = [
    ...[links.preferences, links.unsubscribe, `${links.unsubscribe}?done=1`],
    ...[
      '/',
      '/campaigns',
      of,
      `/campaigns/${PLANNED}`,
      ...reports.map((name) => `${of}/reports/${name}`),
      '/contacts',
    ],
    ...[
      `/contacts/${contact}`,
      '/calls',
      '/templates',
      '/templates?width=phone&dark=1&locale=en',
      '/outbox',
      '/audit',
      '/api',
      '/settings',
    ],
  ]
  for (const path of pages.filter((each) => only === undefined || each.includes(only))) {
    const file = path.replace(/\/(u|preferences)\/[^?]*/, '/$1').replaceAll(/[^a-z0-9-]+/g, '_')
    await take(`${file}-phone`, path, PHONE, true)
    await take(`${file}-wide`, path, WIDE, true)
  }
  if (only === undefined || 'call'.includes(only))
    await take('call-phone', '/calls', PHONE, true, { press: NEXT_CALL })
})
