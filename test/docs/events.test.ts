import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { EVENTS, type EventDescription, eventNamer } from '../../src/config/event-names.ts'
import { blocksOf, quoted, readPage, tableUnder } from './pages.ts'

const page = readPage('docs/events.md')

describe('docs/events.md', () => {
  it('lists the event types there are, with what is read of them', () => {
    const described = Object.entries<EventDescription>(EVENTS).map(
      ([name, { meaning, value = '', properties, segment }]) => [
        `\`${name}\``,
        meaning,
        value,
        Object.entries(properties)
          .map(([property, holds]) => `\`${property}\` ${holds}`)
          .join('<br>'),
        segment.map((theirs) => `\`${theirs}\``).join(', '),
      ],
    )
    expect(tableUnder(page, '## Names')).toEqual(described)
  })

  it('says what becomes of names from elsewhere, as it happens', () => {
    const example = blocksOf(page).find(({ code }) => code.includes('names:'))
    const names = (parse(example?.code ?? '') as { events: { names: Record<string, string> } }).events.names
    const ours = eventNamer(names)
    expect(ours('Lesson Finished')).toBe('assignment_done')
    expect(ours('page')).toBe('page_view')
    expect(ours('Something Else')).toBe('Something Else')
    for (const [, , , , segment = ''] of tableUnder(page, '## Names')) {
      for (const theirs of quoted(segment)) expect(Object.keys(EVENTS)).toContain(eventNamer({})(theirs))
    }
  })
})
