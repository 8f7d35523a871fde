import { html } from 'hono/html'
import type { Child } from 'hono/jsx'
import type { Ability } from '../accounts/roles.ts'
import type { PageFreshness } from './freshness.ts'
import { Coded } from './parts.tsx'
import { ROLE_WORDS } from './role-words.ts'
import { STYLE_PATH } from './style.ts'
import type { Guest, Visit } from './visit.ts'

/** What stands in the navigation, in its order. */
const PLACES: readonly {
  path: string
  en: string
  zh: string
  ability: Ability
  /** A channel without which there is nothing there. */
  channel?: 'callback'
}[] = [
  { path: '/', en: 'Monday', zh: '周一速览', ability: 'look' },
  { path: '/campaigns', en: 'Campaigns', zh: '活动', ability: 'look' },
  { path: '/contacts', en: 'Contacts', zh: '联系人', ability: 'look' },
  { path: '/calls', en: 'Calls', zh: '电话', ability: 'make_calls', channel: 'callback' },
  { path: '/templates', en: 'Templates', zh: '模板', ability: 'look' },
  { path: '/outbox', en: 'Outbox', zh: '发件箱', ability: 'look' },
  { path: '/audit', en: 'Audit', zh: '操作记录', ability: 'see_audit' },
  { path: '/api', en: 'API', zh: 'API', ability: 'operate' },
  { path: '/settings', en: 'Settings', zh: '设置', ability: 'administer' },
]

/** A page with its frame: navigation, who is signed in, how fresh the data are. */
export function layout(
  visit: Visit,
  page: { title: string; body: Child; note?: string | undefined; freshness?: PageFreshness },
) {
  const { say, user, c } = visit
  const here = c.req.path
  const places = PLACES.filter(
    ({ ability, channel }) =>
      visit.may(ability) && (!channel || visit.runtime.workspace.channels[channel] !== undefined),
  )
  const current = PLACES.filter(({ path }) => (path === '/' ? here === '/' : here.startsWith(path))).at(-1)
  return shell(
    visit,
    `${page.title} · ${visit.runtime.workspace.name}`,
    <>
      <a class="skip" href="#main">
        {say('Skip to the content', '跳到正文')}
      </a>
      <header class="top">
        <a class="brand" href="/">
          <span aria-hidden="true">↩ </span>
          {visit.runtime.workspace.name}
        </a>
        <LanguageSwitch visit={visit} />
        <span class="who">
          {user.name} · {ROLE_WORDS[user.role][visit.language]}
        </span>
        <form method="post" action="/sign-out">
          <input type="hidden" name="csrf" value={user.csrf} />
          <button class="plain" type="submit">
            {say('Sign out', '退出')}
          </button>
        </form>
      </header>
      <div class="frame">
        <nav class="side" aria-label={say('Main', '主导航')}>
          <ul>
            {places.map((place) => (
              <li>
                <a href={place.path} aria-current={place === current ? 'page' : undefined}>
                  {say(place.en, place.zh)}
                </a>
              </li>
            ))}
          </ul>
        </nav>
        <main id="main">
          <h1>{page.title}</h1>
          {page.note === undefined ? null : (
            <p class="note" role="status">
              {page.note}
            </p>
          )}
          {page.body}
        </main>
      </div>
      {page.freshness === undefined ? null : <footer>{freshnessText(visit, page.freshness)}</footer>}
    </>,
  )
}

/** For pages before the sign-in. */
export function bare(guest: Guest, workspace: string, title: string, body: Child) {
  return shell(
    guest,
    `${title} · ${workspace}`,
    <main class="narrow">
      <p class="row">
        <strong class="brand">
          <span aria-hidden="true">↩ </span>
          {workspace}
        </strong>
        <LanguageSwitch visit={guest} />
      </p>
      <div class="card">
        <h1>{title}</h1>
        {body}
      </div>
    </main>,
  )
}

/** What somebody is told whose request was not done, inside the frame. */
export function refusalPage(visit: Visit, title: string, words: string) {
  return layout(visit, {
    title: title.charAt(0).toUpperCase() + title.slice(1).replaceAll('`', ''),
    body: (
      <div class="card">
        <p>
          <Coded text={words} />
        </p>
        <p>
          <a href="/">{visit.say('To the first page', '返回首页')}</a>
        </p>
      </div>
    ),
  })
}

function LanguageSwitch({ visit }: { visit: Guest }) {
  const [other, name] = visit.language === 'en' ? (['zh-CN', '中文'] as const) : (['en', 'English'] as const)
  const { pathname, search } = new URL(visit.c.req.url)
  // A page that answers a form cannot be come back to.
  const back = visit.c.req.method === 'GET' ? pathname + search : '/'
  return (
    <a href={`/language/${other}?next=${encodeURIComponent(back)}`} lang={other}>
      {name}
    </a>
  )
}

function freshnessText(visit: Visit, { newestEvent, lastRun, refused, paused, away }: PageFreshness): string {
  const { say, speech } = visit
  const { timezone } = visit.runtime.workspace
  const data =
    newestEvent === null
      ? say('No activity was imported yet', '尚未导入活跃数据')
      : say(`Data up to ${speech.moment(newestEvent)}`, `数据截至 ${speech.moment(newestEvent)}`)
  const run =
    lastRun === null
      ? say('no run yet', '尚未运行')
      : say(`last run ${speech.moment(lastRun)}`, `上次运行 ${speech.moment(lastRun)}`)
  const broken =
    refused === 0
      ? ''
      : say(
          ` · ${refused === 1 ? '1 campaign' : `${refused} campaigns`} refused to run`,
          ` · ${refused} 个活动的运行被拒绝`,
        )
  const held = paused === 0 ? '' : say(` · ${paused} paused`, ` · ${paused} 项已暂停`)
  const gone = away.map((channel) => {
    const name = speech.channel(channel)
    return say(` · ${name} cannot be reached`, ` · ${name}无法连接`)
  })
  return `${data} · ${run}${broken}${held}${gone.join('')} · ${timezone}`
}

function shell(guest: Guest, title: string, body: Child) {
  return html`<!doctype html>${(
    <html lang={guest.language}>
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex" />
        <title>{title}</title>
        <link rel="icon" href="data:," />
        <link rel="stylesheet" href={STYLE_PATH} />
      </head>
      <body>{body}</body>
    </html>
  )}`
}
