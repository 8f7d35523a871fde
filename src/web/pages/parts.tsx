import type { Child } from 'hono/jsx'
import type { Visit } from './visit.ts'

// What several pages are made of.

/** A form of one button, with the session's token. */
export function Act(props: {
  visit: Visit
  to: string
  words: string
  kind?: 'quiet' | 'danger' | 'plain'
  fields?: Readonly<Record<string, string>>
  /** The key that presses it, where the page listens to keys. */
  hotkey?: string | undefined
  children?: Child
}) {
  return (
    <form method="post" action={props.to}>
      <input type="hidden" name="csrf" value={props.visit.user.csrf} />
      {Object.entries(props.fields ?? {}).map(([name, value]) => (
        <input type="hidden" name={name} value={value} />
      ))}
      {props.children}
      <button type="submit" class={props.kind} data-key={props.hotkey} aria-keyshortcuts={props.hotkey}>
        {props.words}
        {props.hotkey === undefined ? null : <kbd>{props.hotkey}</kbd>}
      </button>
    </form>
  )
}

/**
 * Columns that a phone shows beside each other, and those of texts among them, which need a width to be read in; with more,
 * each row becomes a card of lines, its first cell the head.
 */
const BESIDE = 3
const TEXTS_BESIDE = 2

/** As a heading begins: with a capital, unless it is a sign of one letter. */
export function headed(title: string): string {
  return title.length < 2 ? title : title.charAt(0).toUpperCase() + title.slice(1)
}

/** A table; wherever it is too wide, it scrolls sideways, by keyboard too. */
export function Table(props: {
  label: string
  columns: readonly { title: string; num?: boolean }[]
  rows: readonly (readonly Child[])[]
}) {
  const { columns } = props
  const texts = columns.filter(({ num }) => !num)
  const stacked = columns.length > BESIDE || texts.length > TEXTS_BESIDE
  // Rows that are laid out as cards are rows to a screen reader only where that is said.
  const role = (name: string) => (stacked ? name : undefined)
  return (
    // What scrolls must be reachable by keyboard.
    <section class="wide" aria-label={props.label} tabindex={0}>
      <table class={stacked ? 'stacked' : undefined} role={stacked ? 'table' : undefined}>
        <thead role={role('rowgroup')}>
          <tr role={role('row')}>
            {columns.map(({ title, num }) => (
              <th scope="col" role={role('columnheader')} class={num ? 'num' : undefined}>
                {/* A long pair of words may be parted where it is a fraction. */}
                {headed(title)
                  .split('/')
                  .map((part, at) =>
                    at === 0 ? (
                      part
                    ) : (
                      <>
                        /<wbr />
                        {part}
                      </>
                    ),
                  )}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role={role('rowgroup')}>
          {props.rows.map((row) => (
            <tr role={role('row')}>
              {row.map((cell, at) => {
                const { title = '', num = false } = columns[at] ?? {}
                // Beside its title stands the cell as a whole, not each of its parts.
                const content = stacked && cell !== '' ? <div>{cell}</div> : cell
                const data = {
                  class: num ? 'num' : undefined,
                  'data-title': stacked ? headed(title) : undefined,
                }
                return at === 0 && !num ? (
                  <th scope="row" role={role('rowheader')} {...data}>
                    {content}
                  </th>
                ) : (
                  <td role={role('cell')} {...data}>
                    {content}
                  </td>
                )
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  )
}

/** What a page says that has nothing to show yet: what to do next. */
export function Empty({ title, children }: { title: string; children?: Child }) {
  return (
    <div class="card empty">
      <h2>{title}</h2>
      {children}
    </div>
  )
}

/** A sentence in which what is typed stands between backticks, as the command line writes it. */
export function Coded({ text }: { text: string }) {
  return <>{text.split('`').map((part, at) => (at % 2 === 1 ? <code>{part}</code> : part))}</>
}

/** How much of a whole something is. For the eye alone: the figures stand beside it. */
export function Bar({ share }: { share: number }) {
  return (
    <svg height="8" aria-hidden="true">
      <rect class="ground" width="100%" height="8" rx="4" />
      <rect width={`${(100 * share).toFixed(1)}%`} height="8" rx="4" />
    </svg>
  )
}
