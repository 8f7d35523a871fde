import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ANSWERS } from '../../src/audience/select.ts'
import { EVENT_KINDS } from '../../src/channels/channel.ts'
import { FRONT_KEYS } from '../../src/channels/templates/front-matter.ts'
import { HELPERS } from '../../src/channels/templates/helpers.ts'
import { EXIT } from '../../src/cli/failure.ts'
import { VERB_NAMES } from '../../src/cli/verbs.ts'
import { ANNUAL_REPORT } from '../../src/config/annual-report.ts'
import { MESSAGE_CONTEXT } from '../../src/config/checks/templates.ts'
import { factsPage } from '../../src/config/facts-page.ts'
import { campaignJsonSchema } from '../../src/config/json-schema.ts'
import { WAITS } from '../../src/config/waits.ts'
import { type OfferKind, offers, offerVariables } from '../../src/offers/offers.ts'
import { ANSWERS as ANSWER_WORDS, REASONS, WAITS as WAIT_WORDS } from '../../src/reports/reasons.ts'
import { proseOf, quoted, ROOT, readPage, tableUnder } from './pages.ts'

// Tables that repeat what the code says, held against it.

const campaigns = readPage('docs/campaigns.md')
const domain = readPage('docs/domain.md')
const operations = readPage('docs/operations.md')
const architecture = readPage('docs/architecture.md')
const readme = readPage('README.md')

const first = (rows: readonly string[][]) => rows.flatMap(([cell = '']) => quoted(cell))

describe('docs/facts.md', () => {
  it('is what `npm run facts` writes', () => {
    expect(readPage('docs/facts.md').text).toBe(factsPage())
    for (const name of ['sent', 'failed', 'skipped', 'delivered', 'clicked'])
      expect(factsPage()).toContain(`\`STEP.${name}\``)
  })
})

describe('docs/campaigns.md', () => {
  it('lists what the annual report gives', () => {
    const table = tableUnder(campaigns, '### The annual report')
    expect(table).toEqual(ANNUAL_REPORT.map(({ path, description }) => [`\`${path}\``, description]))
  })

  it('names every key of the campaign file', () => {
    const tables = [
      'Who and when',
      'What is measured',
      'Limits',
      'Offers',
      'Tiers and steps',
      'Variants of a step',
    ]
    const rows = tables.flatMap((heading) => tableUnder(campaigns, `### ${heading}`))
    const described = new Set(rows.flat().flatMap((cell) => quoted(cell).flatMap((key) => key.split('.'))))
    const missing = [...keysOf(campaignJsonSchema())].filter((key) => !described.has(key))
    expect(missing).toEqual([])
  })

  it('has a row for keys that exist, and for no others', () => {
    const keys = keysOf(campaignJsonSchema())
    const rows = [
      'Who and when',
      'What is measured',
      'Limits',
      'Offers',
      'Tiers and steps',
      'Variants of a step',
    ].flatMap((heading) => first(tableUnder(campaigns, `### ${heading}`)))
    expect(rows.flatMap((path) => path.split('.')).filter((key) => key !== '*' && !keys.has(key))).toEqual([])
  })

  it('lists the helpers, the front matter and what a message knows of itself', () => {
    const table = tableUnder(campaigns, '## Templates')
    expect(first(table).toSorted()).toEqual([...HELPERS].toSorted())
    const words = new Set(quoted(proseOf(campaigns)))
    const kinds = Object.keys(offers) as OfferKind[]
    const ofOffers = kinds.flatMap((kind) => offerVariables(kind, 'code'))
    const known = [...FRONT_KEYS, ...MESSAGE_CONTEXT, ...ofOffers]
    expect(known.filter((name) => !words.has(name))).toEqual([])
  })
})

describe('docs/domain.md', () => {
  it('lists the answers of a selection, in their order', () => {
    expect(first(tableUnder(domain, '## Who is taken in'))).toEqual([...ANSWERS])
    for (const answer of ANSWERS) expect(ANSWER_WORDS).toHaveProperty(answer)
  })

  it('has a line for every reason a report knows', () => {
    const listed = first(tableUnder(domain, '## Guards'))
    const failures = ['bad_address', 'refused', 'content', 'unsubscribed', 'attempts']
    expect([...listed, ...failures]).toEqual(expect.arrayContaining(Object.keys(REASONS)))
    for (const failure of failures) expect(quoted(proseOf(domain))).toContain(failure)
  })
})

describe('docs/domain.md, on what waits', () => {
  it('lists every cause, in the order of the code', () => {
    const causes = first(tableUnder(domain, '### Why something waits'))
    expect(causes).toEqual([...WAITS])
    const said = new Set([...causes, ...quoted(proseOf(domain))])
    expect(Object.keys(WAIT_WORDS).filter((name) => !said.has(name))).toEqual([])
  })
})

describe('what a provider may report', () => {
  it('is listed for those who write one, and in its order for those who read of it', () => {
    const kinds = (text: string) => quoted(text).filter((word) => EVENT_KINDS.some((kind) => kind === word))
    const receipts = domain.text.split('## Receipts')[1]?.split('\n- ')[0] ?? ''
    expect(kinds(receipts)).toEqual([...EVENT_KINDS])
    const webhook =
      readPage('docs/channels.md').text.split('Receipts are `{"events"')[1]?.split('\n\n')[0] ?? ''
    expect(kinds(webhook).toSorted()).toEqual(EVENT_KINDS.toSorted())
  })
})

describe('docs/operations.md', () => {
  it('lists the exit codes there are', () => {
    const listed = tableUnder(operations, '## Exit codes').map(([code, meaning = '']) => [
      quoted(meaning)[0],
      Number(code),
    ])
    expect(Object.fromEntries(listed)).toEqual(EXIT)
  })

  it('lists the variables the environment is asked for', () => {
    const source = readFileSync(join(ROOT, 'src/config/environment.ts'), 'utf8')
    const read = [...source.matchAll(/variables\.([A-Z_]+)/g)].map(([, name = '']) => name)
    const listed = first(tableUnder(operations, '## Environment'))
    expect(read.filter((name) => ![...listed, 'HOME'].includes(name))).toEqual([])
  })
})

describe('docs/architecture.md', () => {
  it('says who may import whom as the test that enforces it', () => {
    const { 'clock.ts': _clock, 'errors.ts': _errors, ...rest } = ruleNamed<string[]>('ALLOWED')
    const listed = tableUnder(architecture, '## Who may import whom').map(([part = '', may = '']) => [
      quoted(part)[0],
      quoted(may),
    ])
    expect(Object.fromEntries(listed)).toEqual(rest)
  })

  it('says where each library may be used as the test that enforces it', () => {
    const rules = ruleNamed<RegExp>('PACKAGES')
    const table = architecture.text.split('These outside libraries')[1] ?? ''
    const listed = [...table.matchAll(/^\| (`.*) \| (`.*) \|$/gm)].flatMap(([, names = '', places = '']) =>
      quoted(names).map((name) => [name, quoted(places)] as const),
    )
    expect(listed.map(([name]) => name).toSorted()).toEqual(Object.keys(rules).toSorted())
    for (const [name, places] of listed) {
      const outside = places.filter((place) => !rules[name]?.test(place.replace(/^src\//, '')))
      expect([name, outside]).toEqual([name, []])
    }
  })

  it('has a place in its layout for everything in src, and no other', () => {
    const places = first(tableUnder(architecture, '## Layout')).filter((place) => place.startsWith('src/'))
    const there = readdirSync(join(ROOT, 'src'), { withFileTypes: true })
    const expected = there.map((entry) => `src/${entry.name}${entry.isDirectory() ? '/' : ''}`)
    expect(places.toSorted()).toEqual(expected.toSorted())
  })
})

describe('README.md', () => {
  it('lists every verb', () => {
    expect(first(tableUnder(readme, '## The verbs')).toSorted()).toEqual(VERB_NAMES.toSorted())
  })

  it('names npm scripts that exist', () => {
    const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>
    }
    const scripts = [...readme.text.matchAll(/npm (?:run )?([a-z]+)/g)].map(([, name = '']) => name)
    const known = [...Object.keys(manifest.scripts), 'ci']
    expect(scripts.filter((name) => !known.includes(name))).toEqual([])
    expect(scripts).toContain('demo')
  })
})

/** A table of test/architecture.test.ts: what may be where. */
function ruleNamed<Rule>(name: string): Record<string, Rule> {
  const source = readFileSync(join(ROOT, 'test/architecture.test.ts'), 'utf8')
  const literal = new RegExp(`const ${name}[^=]*= (\\{[\\s\\S]*?^\\})`, 'm').exec(source)?.[1] ?? ''
  return new Function(`return (${literal})`)() as Record<string, Rule>
}

/** Every key a schema names at any depth; names that are the operator's own are not among them. */
function keysOf(schema: unknown, keys = new Set<string>()): Set<string> {
  if (Array.isArray(schema)) for (const part of schema) keysOf(part, keys)
  else if (typeof schema === 'object' && schema !== null) {
    for (const [name, part] of Object.entries(schema)) {
      if (name === 'properties') for (const key of Object.keys(part as object)) keys.add(key)
      keysOf(part, keys)
    }
  }
  return keys
}
