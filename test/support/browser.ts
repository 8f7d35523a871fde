import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { readEnvironment } from '../../src/config/environment.ts'
import { afterFile } from './after-file.ts'

// A real browser for the pages: Debian's Chromium.

const CHROMIUM = '/usr/bin/chromium'

/** On a build server the browser is there, or that is a failure; elsewhere its absence is said. */
export const hasBrowser = existsSync(CHROMIUM) || readEnvironment().ci
if (!existsSync(CHROMIUM)) console.warn(`${CHROMIUM} is missing: the pages were not opened in a browser`)

// What a page runs here is over before optimising it pays.
const FLAGS =
  '--js-flags=--no-turbofan,--no-maglev --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync'
/** A name of this machine by which a browser trusts it no more than any other that it asks without https. */
export const OTHER_HOST = 'winback.lan'
let opened: Promise<Browser> | undefined

/** The file's own, ended after it: what a window holds is gone with its context. */
async function openBrowser(): Promise<Browser> {
  opened ??= launch()
  return await opened
}

async function launch(): Promise<Browser> {
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: [...FLAGS.split(' '), `--host-resolver-rules=MAP ${OTHER_HOST} 127.0.0.1`],
  })
  afterFile(async () => {
    opened = undefined
    await browser.close()
  })
  return browser
}

export const LANGUAGES = ['en', 'zh-CN'] as const

export interface Look {
  readonly scheme: 'light' | 'dark'
  readonly width: number
}
export const WIDE: Look = { scheme: 'light', width: 1280 }
export const NARROW: Look = { scheme: 'dark', width: 320 }
/** In which a page is looked at, in each language: wide and narrow, light and dark. */
export const LOOKS: readonly Look[] = [WIDE, NARROW]

const HEIGHT = 900

/** A window in which somebody is signed in. What the console complains of and what is asked of other hosts goes to `found`. */
export async function openWindow(
  server: string,
  cookie: string,
  { language, scheme, width }: Look & { readonly language: (typeof LANGUAGES)[number] },
  found: string[],
): Promise<{ readonly context: BrowserContext; readonly page: Page }> {
  const browser = await openBrowser()
  const context = await browser.newContext({
    locale: language,
    colorScheme: scheme,
    viewport: { width, height: HEIGHT },
    bypassCSP: false,
  })
  const [name = '', value = ''] = cookie.split('=')
  if (name !== '') await context.addCookies([{ name, value, url: server }])
  const page = await context.newPage()
  const tell = (problem: string) =>
    found.push(`${page.url()} ${language} ${page.viewportSize()?.width}: ${problem}`)
  page.on('console', (message) => {
    // A frame that may run nothing says so: that is what it is for.
    if (message.type() === 'error' && !message.text().includes('sandboxed')) tell(message.text())
  })
  page.on('pageerror', (error) => tell(error.message))
  page.on('request', (request) => {
    if (!request.url().startsWith(server) && !request.url().startsWith('data:')) tell(`asks ${request.url()}`)
  })
  return { context, page }
}

const axe = () => readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/**
 * The rules of axe that never find what is serious: whatever impact a rule has it says itself, or one of its checks does.
 * Left out, they cost nothing; they are a third of a look at a page.
 */
const HARMLESS = `Object.fromEntries(axe._audit.rules
  .filter(({ impact, any, all, none }) => {
    const checks = [...any, ...all, ...none].map((check) => axe._audit.checks[check.id ?? check])
    const impacts = impact ? [impact] : checks.map((check) => check.impact)
    return impacts.every((each) => each === 'minor' || each === 'moderate')
  })
  .map(({ id }) => [id, { enabled: false }]))`

/**
 * Serious and critical findings of axe, and a page wider than its window, in each of the looks. The page is opened once for
 * all of them: light and width are the style sheet's matter, and opening a page takes longer than looking at it. Scripts go
 * in by the debugger, past the policy.
 */
export async function lookAt(page: Page, looks = LOOKS): Promise<string[]> {
  await page.evaluate(axe())
  const found: string[] = []
  for (const look of beginningAsItIs(page, looks)) {
    await page.emulateMedia({ colorScheme: look.scheme })
    await page.setViewportSize({ width: look.width, height: HEIGHT })
    found.push(...(await lookOnce(page)).map((problem) => `${look.scheme} ${look.width}: ${problem}`))
  }
  return found
}

/** The look that a window has already goes first, which saves laying the page out anew. */
function beginningAsItIs(page: Page, looks: readonly Look[]): readonly Look[] {
  const width = page.viewportSize()?.width
  return looks.toSorted((one, other) => Number(other.width === width) - Number(one.width === width))
}

async function lookOnce(page: Page): Promise<string[]> {
  return (await page.evaluate(`(async () => {
    const { violations } = await axe.run({ resultTypes: ['violations'], iframes: false, selectors: false, rules: ${HARMLESS} })
    const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
    const wide = document.documentElement.scrollWidth > window.innerWidth + 1
    return [
      ...(wide ? ['wider than the window'] : []),
      ...serious.map(({ id, nodes }) => id + ': ' + nodes.slice(0, 2).map(({ html, failureSummary }) => html.slice(0, 160) + ' ' + failureSummary.slice(0, 200)).join(' | ')),
    ]
  })()`)) as string[]
}
