import { createHash } from 'node:crypto'
import { html } from 'hono/html'
import type { Child } from 'hono/jsx'
import type { Language } from '../../reports/words.ts'

// The frame of pages that people come to from a message: no script, no other host, one small style sheet inside the
// page, which the policy allows by its hash.

const STYLE = `
:root { color-scheme: light dark; --ground: #f4f1ec; --card: #fff; --ink: #23201c; --quiet: #6b645b; --rule: #e6e0d6; --accent: #b4431f; --on-accent: #fff }
@media (prefers-color-scheme: dark) { :root { --ground: #15130f; --card: #211e19; --ink: #f1ece4; --quiet: #b3aa9d; --rule: #37322a; --accent: #f09a76; --on-accent: #1b1108 } }
* { box-sizing: border-box }
body { margin: 0; background: var(--ground); color: var(--ink); font: 17px/1.6 -apple-system, BlinkMacSystemFont, 'Segoe UI', Roboto, 'PingFang SC', 'Microsoft YaHei', 'Noto Sans CJK SC', sans-serif }
main { max-width: 34rem; margin: 0 auto; padding: 1.25rem }
header { padding: 1.5rem 0 1rem; font-weight: 700 }
section { background: var(--card); border: 1px solid var(--rule); border-radius: 1rem; padding: 1.75rem }
h1 { margin: 0 0 .75rem; font-size: 1.5rem; line-height: 1.3 }
p { margin: 0 0 1rem }
a { color: var(--accent) }
.quiet { color: var(--quiet); font-size: .9rem }
button { font: inherit; font-weight: 600; width: 100%; min-height: 3rem; padding: .7rem 1.2rem; border: 0; border-radius: .65rem; background: var(--accent); color: var(--on-accent); cursor: pointer }
button:focus-visible, a:focus-visible { outline: 3px solid var(--accent); outline-offset: 3px }
`

/** For the Content-Security-Policy of these pages. */
export const DOCUMENT_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** A whole page. `brand` is what the workspace calls itself. */
export function renderDocument(page: {
  language: Language
  title: string
  brand: string
  children: Child
}): ReturnType<typeof html> {
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
          <header>{page.brand}</header>
          <section>{page.children}</section>
        </main>
      </body>
    </html>
  )
  return html`<!doctype html>${body}`
}
