import type { Context } from 'hono'
import { accepts } from 'hono/accepts'
import { DOCUMENT_POLICY, renderDocument } from './document.tsx'
import { pageLanguage } from './preferences-words.ts'

// An address that leads nowhere, for whoever typed it into a browser. Programs are told in JSON.

const WORDS = {
  title: { en: 'There is no such page', 'zh-CN': '没有这个页面' },
  why: {
    en: 'The address may be mistyped, or what it showed is there no more.',
    'zh-CN': '地址可能有误，或原来的内容已不存在。',
  },
  home: { en: 'To the first page', 'zh-CN': '返回首页' },
} as const

/** Whether a request comes from somebody who reads pages: a browser says so, and a program does not. */
export function wantsPage(c: Context): boolean {
  if (c.req.method !== 'GET') return false
  const supports = ['application/json', 'text/html']
  return accepts(c, { header: 'Accept', supports, default: 'application/json' }) === 'text/html'
}

/** Answers 404 in the reader's language. */
export function showNowhere(c: Context, brand: string): Response | Promise<Response> {
  const language = pageLanguage(c.req.query('lang'), c.req.header('Accept-Language'))
  c.header('Content-Security-Policy', DOCUMENT_POLICY)
  const page = renderDocument({
    language,
    brand,
    title: WORDS.title[language],
    children: (
      <section>
        <h1>{WORDS.title[language]}</h1>
        <p>{WORDS.why[language]}</p>
        <p>
          <a href="/">{WORDS.home[language]}</a>
        </p>
      </section>
    ),
  })
  return c.html(page, 404)
}
