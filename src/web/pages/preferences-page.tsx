import { html } from 'hono/html'
import type { Child } from 'hono/jsx'
import { LEAVING_REASONS } from '../../config/reasons.ts'
import type { Preferences } from '../../contacts/preferences.ts'
import { CHANNELS, type Language, WORDS } from './preferences-words.ts'

// One page, one form, no script: it has to work in the browser of a mail app, and on any telephone.

export const STYLE = `
:root { color-scheme: light dark; --ink: #1d1d1f; --faint: #5b5b63; --paper: #f6f5f2; --card: #fff; --line: #dcdad4; --accent: #14603f; --on: #fff }
@media (prefers-color-scheme: dark) { :root { --ink: #ececea; --faint: #a9a9a4; --paper: #161615; --card: #222220; --line: #3c3c38; --accent: #8ed4b0; --on: #10291d } }
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink); font: 17px/1.5 system-ui, "PingFang SC", "Microsoft YaHei", sans-serif }
main { max-width: 34rem; margin: 0 auto; padding: 1.5rem 1rem 3rem }
header { display: flex; justify-content: space-between; align-items: baseline; gap: 1rem; color: var(--faint) }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 1rem 0 .5rem }
p { margin: 0 0 1rem; color: var(--faint) }
a { color: var(--accent) }
fieldset { border: 1px solid var(--line); border-radius: 12px; background: var(--card); padding: .5rem 1rem; margin: 0 0 1rem; min-width: 0 }
legend { font-weight: 600; padding: 0 .35rem }
label { display: flex; gap: .75rem; align-items: flex-start; padding: .6rem 0; min-height: 44px }
label + label { border-top: 1px solid var(--line) }
input { accent-color: var(--accent); width: 1.3rem; height: 1.3rem; margin: .1rem 0 0; flex: none }
small { display: block; color: var(--faint) }
button { width: 100%; min-height: 48px; font: inherit; font-weight: 600; border-radius: 12px; border: 1px solid var(--accent); cursor: pointer; margin: 0 0 .75rem }
button.save { background: var(--accent); color: var(--on) }
button.nothing { background: transparent; color: var(--accent) }
.saved { border-left: 4px solid var(--accent); padding: .6rem .9rem; background: var(--card); color: var(--ink) }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
`

/** A box of the page: ticked where it is wanted. */
export interface Box {
  readonly name: string
  readonly title: string
  readonly wanted: boolean
  /** Ticking it is a consent. */
  readonly agrees?: boolean
}

export interface PreferencesView {
  readonly language: Language
  readonly sender: string
  readonly saved: boolean
  readonly channels: readonly Box[]
  readonly topics: readonly Box[]
  readonly held: Preferences
  /** The day a pause that is under way ends, in the contact’s zone; undefined where there is none. */
  readonly pausedUntil: string | undefined
}

/** The page of one contact. */
export function preferencesPage(view: PreferencesView) {
  const { language, held } = view
  const word = (name: keyof typeof WORDS) => WORDS[name][language]
  const within = held.frequency?.withinDays
  const often = within === undefined ? '' : within <= 7 ? 'weekly' : 'monthly'
  const other = language === 'en' ? 'zh-CN' : 'en'
  const radio = (name: string, value: string, checked: boolean, text: string) => (
    <label>
      <input type="radio" name={name} value={value} checked={checked} />
      <span>{text}</span>
    </label>
  )
  return shell(
    language,
    word('title'),
    <main>
      <header>
        <span>{view.sender}</span>
        <a href={`?lang=${other}`} lang={other}>
          {word('other')}
        </a>
      </header>
      <h1>{word('title')}</h1>
      {view.saved ? (
        <p class="saved" role="status">
          {word('saved')}
        </p>
      ) : (
        <p>{word('intro')}</p>
      )}
      <form method="post" action={`?lang=${language}`}>
        {boxes('channel', word('channels'), view.channels, word('agree'))}
        {view.topics.length > 0 ? boxes('topic', word('topics'), view.topics, '') : null}
        <fieldset>
          <legend>{word('frequency')}</legend>
          {radio('often', '', often === '', word('anyTime'))}
          {radio('often', 'weekly', often === 'weekly', word('weekly'))}
          {radio('often', 'monthly', often === 'monthly', word('monthly'))}
        </fieldset>
        <fieldset>
          <legend>{word('pause')}</legend>
          {view.pausedUntil === undefined
            ? null
            : radio('pause', 'keep', true, `${word('keepPause')} ${view.pausedUntil}`)}
          {radio('pause', '', view.pausedUntil === undefined, word('noPause'))}
          {radio('pause', '30', false, word('thisMonth'))}
          {radio('pause', '90', false, word('quarter'))}
        </fieldset>
        <label>
          <span>{word('why')}</span>
          <select name="why">
            <option value="">{word('noReason')}</option>
            {Object.entries(LEAVING_REASONS).map(([code, words]) => (
              <option value={code}>{words[language]}</option>
            ))}
          </select>
        </label>
        <button class="save" type="submit" name="do" value="save">
          {word('save')}
        </button>
        <button class="nothing" type="submit" name="do" value="nothing">
          {word('nothing')}
        </button>
      </form>
    </main>,
  )
}

/** What somebody sees whose link is not good, or whose contact is gone. */
export function gonePage(language: Language) {
  return shell(
    language,
    WORDS.gone[language],
    <main>
      <h1>{WORDS.gone[language]}</h1>
      <p>{WORDS.goneWhy[language]}</p>
    </main>,
  )
}

/** A channel as people call it. */
export function channelTitle(name: string, language: Language): string {
  return CHANNELS[name]?.[language] ?? name
}

function boxes(kind: string, legend: string, all: readonly Box[], agreement: string) {
  return (
    <fieldset>
      <legend>{legend}</legend>
      {all.map((box) => (
        <label>
          <input type="checkbox" name={kind} value={box.name} checked={box.wanted} />
          <span>
            {box.title}
            {box.agrees ? <small>{agreement}</small> : null}
          </span>
        </label>
      ))}
    </fieldset>
  )
}

function shell(language: Language, title: string, body: Child) {
  return (
    <>
      {html`<!doctype html>`}
      <html lang={language}>
        <head>
          <meta charset="utf-8" />
          <meta name="viewport" content="width=device-width, initial-scale=1" />
          <meta name="robots" content="noindex" />
          <title>{title}</title>
          <style dangerouslySetInnerHTML={{ __html: STYLE }} />
        </head>
        <body>{body}</body>
      </html>
    </>
  )
}
