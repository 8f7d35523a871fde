import type { Preferences } from '../../../contacts/preferences.ts'
import { renderDocument, WhyField } from './document.tsx'
import { type Language, WORDS } from './preferences-words.ts'

// One page, one form, no script: it has to work in the browser of a mail app, and on any telephone.

/** A box of the page: ticked where it is wanted. */
export interface Box {
  readonly name: string
  readonly title: string
  readonly wanted: boolean
  /** Ticking it is a consent. */
  readonly agrees?: boolean
  /** They had unsubscribed from it: ticking it takes that back, and is a consent. */
  readonly again?: boolean
  /** Nothing comes this way, whatever is ticked: the address is on the do-not-contact list. */
  readonly listed?: boolean
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

/** Which answer to "how often" stands for a frequency: the nearest of those on the page. */
export function oftenOf(frequency: Preferences['frequency']): '' | 'weekly' | 'monthly' {
  if (!frequency) return ''
  return frequency.withinDays <= 7 ? 'weekly' : 'monthly'
}

/** What the form would send of a page on which nothing is touched: it goes along, so that it is known what was. */
function shownIn(view: PreferencesView): string {
  const ticked = (kind: string, boxes: readonly Box[]) =>
    boxes.filter(({ wanted }) => wanted).map(({ name }): [string, string] => [kind, name])
  const fields: [string, string][] = [
    ...ticked('channel', view.channels),
    ...ticked('topic', view.topics),
    ['often', oftenOf(view.held.frequency)],
    ['pause', view.pausedUntil === undefined ? '' : 'keep'],
  ]
  return new URLSearchParams(fields).toString()
}

/** The page of one contact. */
export function preferencesPage(view: PreferencesView) {
  const { language, held } = view
  const word = (name: keyof typeof WORDS) => WORDS[name][language]
  const often = oftenOf(held.frequency)
  const radio = (name: string, value: string, checked: boolean, text: string) => (
    <label>
      <input type="radio" name={name} value={value} checked={checked} />
      <span>{text}</span>
    </label>
  )
  return renderDocument({
    language,
    brand: view.sender,
    title: word('title'),
    children: (
      <section>
        <h1>{word('title')}</h1>
        {view.saved ? (
          <p class="saved" role="status">
            {word('saved')}
          </p>
        ) : (
          <p>{word('intro')}</p>
        )}
        <form method="post" action={`?lang=${language}`}>
          <input type="hidden" name="was" value={shownIn(view)} />
          {boxes('channel', word('channels'), view.channels, {
            agree: word('agree'),
            again: word('again'),
            listed: word('listed'),
          })}
          {view.topics.length > 0 ? boxes('topic', word('topics'), view.topics) : null}
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
          <fieldset>
            <WhyField language={language} label={word('why')} none={word('noReason')} />
          </fieldset>
          <button type="submit" name="do" value="save">
            {word('save')}
          </button>
          <button class="other" type="submit" name="do" value="nothing">
            {word('nothing')}
          </button>
        </form>
      </section>
    ),
  })
}

/** What somebody sees whose link is not good, or whose contact is gone. */
export function gonePage(language: Language, brand: string) {
  return renderDocument({
    language,
    brand,
    title: WORDS.gone[language],
    children: (
      <section>
        <h1>{WORDS.gone[language]}</h1>
        <p>{WORDS.goneWhy[language]}</p>
      </section>
    ),
  })
}

function boxes(
  kind: string,
  legend: string,
  all: readonly Box[],
  notes?: { readonly agree: string; readonly again: string; readonly listed: string },
) {
  const noteOf = (box: Box) =>
    box.listed ? notes?.listed : box.again ? notes?.again : box.agrees ? notes?.agree : undefined
  return (
    <fieldset>
      <legend>{legend}</legend>
      {all.map((box) => (
        <label>
          <input type="checkbox" name={kind} value={box.name} checked={box.wanted} disabled={box.listed} />
          <span>
            {box.title}
            {noteOf(box) === undefined ? null : <small>{noteOf(box)}</small>}
          </span>
        </label>
      ))}
    </fieldset>
  )
}
