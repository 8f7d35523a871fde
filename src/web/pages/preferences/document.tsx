import { hash } from 'node:crypto'
import { html } from 'hono/html'
import type { Child } from 'hono/jsx'
import type { Language } from '../../../reports/words.ts'
import { ReasonOptions } from '../reasons.tsx'

// The frame of pages that people come to from a message: no script, no other host, one small style sheet inside the
// page, which the policy allows by its hash.

const STYLE = `
:root { color-scheme: light dark; --ground: #f4f1ec; --card: #fff; --ink: #23201c; --quiet: #6b645b; --rule: #e6e0d6; --accent: #b4431f; --on-accent: #fff }
@media (prefers-color-scheme: dark) { :root { --ground: #15130f; --card: #211e19; --ink: #f1ece4; --quiet: #b3aa9d; --rule: #37322a; --accent: #f09a76; --on-accent: #1b1108 } }
* { box-sizing: border-box }
html { -webkit-text-size-adjust: 100% }
body { margin: 0; background: var(--ground); color: var(--ink); overflow-wrap: anywhere; font: 1.0625rem/1.6 -apple-system, BlinkMacSystemFont, 'Segoe UI', Roboto, 'PingFang SC', 'Microsoft YaHei', 'Noto Sans CJK SC', sans-serif }
main { max-width: 34rem; margin: 0 auto; padding: 1.25rem }
header { display: flex; justify-content: space-between; align-items: baseline; gap: 1rem; padding: 1.5rem .25rem 1rem }
header strong { font-weight: 700 } header a { flex: none }
section { background: var(--card); border: 1px solid var(--rule); border-radius: 1rem; padding: 1.75rem }
section + section { margin-top: 1rem }
h1 { margin: 0 0 .75rem; font-size: 1.5rem; line-height: 1.3 }
h2 { margin: 0 0 .5rem; font-size: 1.1rem; line-height: 1.4 }
p { margin: 0 0 1rem }
p:last-child, form:last-child { margin-bottom: 0 }
a { color: var(--accent) }
.quiet, small { color: var(--quiet); font-size: .9rem }
small { display: block }
.less { margin-top: 1.25rem }
.saved { border-left: 4px solid var(--accent); padding-left: .9rem }
fieldset { border: 0; border-top: 1px solid var(--rule); margin: 0 0 1rem; padding: .9rem 0 0; min-width: 0 }
legend { float: left; width: 100%; font-weight: 600; padding: 0 0 .2rem }
legend + * { clear: both }
label { display: flex; gap: .75rem; align-items: flex-start; padding: .5rem 0; min-height: 44px }
label.asks { display: block; font-weight: 600 }
input { accent-color: var(--accent); width: 1.3rem; height: 1.3rem; margin: .15rem 0 0; flex: none }
select { font: inherit; font-weight: 400; color: inherit; background: var(--card); width: 100%; min-height: 3rem; margin: .4rem 0 0; padding: .5rem .7rem; border: 1px solid #8d857b; border-radius: .65rem }
button { font: inherit; font-weight: 600; width: 100%; min-height: 3rem; padding: .7rem 1.2rem; border: 1px solid var(--accent); border-radius: .65rem; background: var(--accent); color: var(--on-accent); cursor: pointer }
button + button { margin-top: .75rem }
button.other { background: transparent; color: var(--accent) }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 3px }
@media (max-width: 30rem) { section { padding: 1.35rem 1.15rem } main { padding: .75rem } header { padding: 1rem .25rem .75rem } }
`

/** For the Content-Security-Policy of these pages. */
export const DOCUMENT_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${hash('sha256', STYLE, 'base64')}'`,
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** What a person reads a page in, when it is not the language they read. */
const OTHER: Readonly<Record<Language, { language: Language; words: string }>> = {
  en: { language: 'zh-CN', words: '中文' },
  'zh-CN': { language: 'en', words: 'English' },
}

/**
 * A whole page. `brand` is what the workspace calls itself; each of the children is a card.
 * `stage`: what the address says besides the language, kept when that is changed.
 */
export function renderDocument(page: {
  language: Language
  title: string
  brand: string
  stage?: string
  children: Child
}): ReturnType<typeof html> {
  const other = OTHER[page.language]
  const body = (
    <html lang={page.language}>
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex" />
        <title>{`${page.title} · ${page.brand}`}</title>
        <style dangerouslySetInnerHTML={{ __html: STYLE }} />
      </head>
      <body>
        <main>
          <header>
            <strong>{page.brand}</strong>
            <a href={`?lang=${other.language}${page.stage ? `&${page.stage}` : ''}`} lang={other.language}>
              {other.words}
            </a>
          </header>
          {page.children}
        </main>
      </body>
    </html>
  )
  return html`<!doctype html>${body}`
}

/** The reasons people have for leaving, to choose one from or none. */
export function WhyField({ language, label, none }: { language: Language; label: string; none: string }) {
  return (
    <label class="asks">
      {label}
      <select name="why">
        <ReasonOptions language={language} none={none} />
      </select>
    </label>
  )
}
