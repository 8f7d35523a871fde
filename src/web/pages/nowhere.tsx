import type { Context } from 'hono'
import { accepts } from 'hono/accepts'
import { DOCUMENT_POLICY, renderDocument } from './preferences/document.tsx'
import { type Language, pageLanguage } from './preferences/preferences-words.ts'

// An address that leads nowhere, for whoever typed it into a browser, and what failed before any page of its own could say
// so. Programs are told in JSON.

const WORDS = {
  title: { en: 'There is no such page', 'zh-CN': '没有这个页面' },
  why: {
    en: 'The address may be mistyped, or what it showed is there no more.',
    'zh-CN': '地址可能有误，或原来的内容已不存在。',
  },
  home: { en: 'To the first page', 'zh-CN': '返回首页' },
  failed: { en: 'Something failed on our side', 'zh-CN': '系统出错' },
  again: {
    en: 'Please try again in a moment. If you had filled in a form, go back and send it again.',
    'zh-CN': '请稍后重试。如果您刚填写了表单，请返回后再次提交。',
  },
  request: { en: 'Request', 'zh-CN': '请求编号' },
} as const

/** Whether a request comes from somebody who reads pages: a browser says so, and a program does not. */
export function readsPages(c: Context): boolean {
  const supports = ['application/json', 'text/html']
  return accepts(c, { header: 'Accept', supports, default: 'application/json' }) === 'text/html'
}

function languageOf(c: Context): Language {
  return pageLanguage(c.req.query('lang'), c.req.header('Accept-Language'))
}

/** Answers 500 in the reader's language: where the database is away, say. */
export function showFailed(c: Context, brand: string, request: string): Response | Promise<Response> {
  const language = languageOf(c)
  c.header('Content-Security-Policy', DOCUMENT_POLICY)
  c.header('Cache-Control', 'no-store')
  const page = renderDocument({
    language,
    brand,
    title: WORDS.failed[language],
    children: (
      <section>
        <h1>{WORDS.failed[language]}</h1>
        <p>{WORDS.again[language]}</p>
        {/* By which the log has it. */}
        <p class="quiet">
          {WORDS.request[language]} {request}
        </p>
      </section>
    ),
  })
  return c.html(page, 500)
}

/** Answers 404 in the reader's language. */
export function showNowhere(c: Context, brand: string): Response | Promise<Response> {
  const language = languageOf(c)
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
