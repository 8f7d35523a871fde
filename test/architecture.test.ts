import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

// Who may import whom: the table of docs/architecture.md, held against the imports. Paths are relative to src/; a
// folder's name stands for everything in it.

const ROOT = fileURLToPath(new URL('../src', import.meta.url))
const EVERYONE = ['clock.ts', 'errors.ts']

const ALLOWED: Record<string, readonly string[]> = {
  'clock.ts': [],
  'errors.ts': [],
  statistics: [],
  database: [],
  // Signed links: pure, with the keys given.
  tokens: [],
  // Pictures of charts: pure but for the font.
  charts: [],
  'channels/channel.ts': ['tokens'],
  // Channels read prices and templates from beside them; nothing of the pipeline.
  channels: ['channels', 'charts', 'tokens'],
  // The registry says which channels there are, what each needs of a step, and what its settings are.
  config: [
    ...['database', 'channels/channels.ts'],
    // Channels that winback.yaml names a module for are loaded with it.
    ...['channels/channel.ts', 'channels/outside.ts', 'channels/server-name.ts'],
    // The terms of an offer belong to its kind, as the settings of a channel do to the channel.
    ...['offers/offers.ts', 'offers/provider.ts'],
  ],
  // How a number may be written is asked by whoever compares numbers.
  contacts: ['config', 'database', 'channels/sms/phone.ts'],
  signals: ['config', 'database', 'statistics'],
  // What interrupts, and open calls alone: entering a tier cancels what is left of the one before, in the same transaction.
  audience: [
    ...['config', 'database', 'channels/channel.ts', 'touchpoints/interruptions.ts'],
    'outcomes/calls.ts',
  ],
  touchpoints: ['config', 'database', 'audience', 'offers', 'channels/channel.ts'],
  outcomes: [
    ...['config', 'database', 'offers', 'channels/channel.ts'],
    ...['touchpoints/keys.ts', 'touchpoints/lifecycle.ts'],
    ...['touchpoints/interruptions.ts', 'touchpoints/recovery.ts'],
  ],
  // What is left of an offer is judged in one place.
  reports: ['charts', 'config', 'database', 'statistics', 'offers/pools.ts'],
  // Codes and redemptions come as files, too: read as contacts are.
  // Which hosts are this machine.
  offers: [
    'config',
    'database',
    'contacts',
    'channels/private-hosts.ts',
    'channels/http.ts',
    'channels/server-name.ts',
  ],
  service: [
    ...[
      'config',
      'database',
      'contacts',
      'signals',
      'channels',
      'offers',
      'audience',
      'touchpoints',
      'outcomes',
      'reports',
    ],
    // What a plan could prove at all is reckoned before anything runs.
    ...['tokens', 'statistics'],
  ],
  cli: [
    ...['config', 'database', 'contacts', 'channels', 'audience', 'touchpoints', 'outcomes'],
    ...['signals', 'offers', 'reports', 'service', 'web'],
  ],
  web: [
    ...['config', 'database', 'contacts', 'channels', 'offers', 'touchpoints', 'outcomes'],
    ...['reports', 'service', 'charts', 'tokens'],
  ],
  'cli.ts': ['cli', 'config'],
  simulator: [
    ...['config', 'database', 'contacts', 'channels', 'audience', 'statistics'],
    ...['offers', 'reports', 'service', 'web', 'cli'],
  ],
}

/** Packages that stay in one place, and where. */
const PACKAGES: Record<string, RegExp> = {
  yaml: /^config\/documents\//,
  '@marcbachmann/cel-js': /^config\/conditions\//,
  nodemailer: /^channels\/email\//,
  'web-push': /^channels\/push\//,
  handlebars: /^channels\/(renderer|templates)/,
  'import-meta-resolve': /^channels\/outside\.ts$/,
  bullmq: /^touchpoints\/queue\/(queue|job-worker)\.ts$/,
  ioredis: /^touchpoints\/queue\/engine\.ts$|^cli\/verbs\/doctor/,
  commander: /^cli(\/|\.ts$)/,
  'node-cron': /^service\//,
  'smtp-server': /^simulator\/|^channels\/email\/catcher/,
  echarts: /^charts\//,
  '@resvg/resvg-js': /^charts\//,
  piscina: /^charts\/png\.ts$/,
  hono: /^web\//,
  '@hono/node-server': /^web\//,
  'prom-client': /^web\//,
}

/** Imports of a type that close a circle, which nothing runs into. No other may. */
const CIRCLES = [
  'cli/progress.ts imports cli/output.ts',
  'contacts/sync/chunks.ts imports contacts/sync/sync.ts',
  'reports/channel-words.ts imports reports/words.ts',
  'web/pages/layout.tsx imports web/pages/visit.ts',
  'web/pages/parts.tsx imports web/pages/visit.ts',
]

/**
 * What a verb must not read on its way in, for it takes longer than the work: the libraries by the file that begins. By
 * `import()` or `require()`, where it is used, each may be read.
 */
const UNREAD: Record<string, readonly string[]> = {
  'cli.ts': ['zod', 'yaml', 'drizzle-orm', 'pg', 'nodemailer', 'handlebars', 'bullmq', 'hono', 'echarts'],
  // The help of the whole service says what it does and does none of it.
  'cli/verbs/start.ts': [
    'zod',
    'yaml',
    'drizzle-orm',
    'pg',
    'nodemailer',
    'handlebars',
    'bullmq',
    'hono',
    'echarts',
  ],
  // It reads files, and no database.
  'cli/verbs/validate.ts': ['drizzle-orm', 'pg', 'nodemailer', 'bullmq', 'ioredis', 'hono', 'echarts'],
}

/**
 * What no verb reads on its way in, neither the service: what sends, serves, draws or calculates is read when it is come to,
 * if it is. A name that ends with a stroke is all of a family.
 */
const UNREAD_BY_ALL = [
  ...['bullmq', 'ioredis', 'node-cron', 'cron-parser'],
  ...['nodemailer', 'smtp-server', 'postal-mime', 'html-to-text', 'handlebars', 'web-push'],
  ...['hono', '@hono/node-server', 'prom-client'],
  ...['echarts', '@resvg/resvg-js', 'piscina', 'cli-progress'],
  ...['import-meta-resolve', '@stdlib/', '@marcbachmann/cel-js'],
]

/** Verbs whose very work it is. */
const READS: Record<string, readonly string[]> = { 'cli/verbs/bounce.ts': ['postal-mime'] }

interface Import {
  readonly from: string
  readonly to: string
  readonly types: boolean
  /** By `import()`, when it is come to. */
  readonly late: boolean
}

const files = readdirSync(ROOT, { recursive: true, encoding: 'utf8' })
  .filter((file) => /\.tsx?$/.test(file))
  .map((file) => file.replaceAll('\\', '/'))

const imports: Import[] = []
const packages: { from: string; name: string; entry: string; types: boolean; late: boolean }[] = []
for (const file of files) {
  const text = readFileSync(join(ROOT, file), 'utf8')
  for (const [, types, named, bare, late] of text.matchAll(
    /^(?:import|export)\s+(type\s)?[^;]*?from\s+'([^']+)'|^import\s+'([^']+)'|\b(?:import|require)\(\s*'([^']+)'\s*\)/gm,
  )) {
    const target = named ?? bare ?? late ?? ''
    const how = { types: types !== undefined, late: late !== undefined }
    if (target.startsWith('.')) {
      const to = relative(ROOT, resolve(ROOT, dirname(file), target)).replaceAll('\\', '/')
      imports.push({ from: file, to, ...how })
    } else {
      const name = target.replace(/^(@[^/]+\/[^/]+|[^/]+)\/.*$/, '$1')
      packages.push({ from: file, name, entry: target, ...how })
    }
  }
}

function ruleOf(file: string): [string, readonly string[]] {
  const exact = ALLOWED[file]
  if (exact) return [file, exact]
  const folder = file.split('/')[0] ?? file
  const rule = ALLOWED[folder]
  if (!rule)
    throw new Error(`src/${file}: no rule for ${folder}; add it to the table, and to docs/architecture.md`)
  return [folder, rule]
}

function allows(rule: readonly string[], to: string): boolean {
  return rule.some((allowed) => to === allowed || to.startsWith(`${allowed}/`))
}

/** Places whose rule allows another that none of their files imports. */
function idleAllowances(): string[] {
  return Object.entries(ALLOWED).flatMap(([place, rule]) => {
    const own = imports.filter(({ from }) => ruleOf(from)[0] === place)
    return rule.flatMap((to) =>
      own.some((each) => allows([to], each.to)) ? [] : [`${place} imports nothing of ${to}`],
    )
  })
}

describe('the architecture', () => {
  it('has imports to look at', () => {
    expect(imports.length).toBeGreaterThan(100)
  })

  it('lets each folder import what the table says', () => {
    const wrong = imports.filter(({ from, to }) => {
      const [own, rule] = ruleOf(from)
      return !EVERYONE.includes(to) && !(to === own || to.startsWith(`${own}/`)) && !allows(rule, to)
    })
    expect(wrong.map(({ from, to }) => `${from} imports ${to}`)).toEqual([])
  })

  it('has no line in the table for what nobody imports: it would say that two stages know each other', () => {
    expect(idleAllowances()).toEqual([])
  })

  it('keeps each outside library in its place', () => {
    const wrong = packages.filter(({ from, name }) => PACKAGES[name] && !PACKAGES[name].test(from))
    expect(wrong.map(({ from, name }) => `${from} imports ${name}`)).toEqual([])
  })

  it.each(Object.entries(UNREAD))('leaves unread what %s can do without', (start, unread) => {
    expect(readOnTheWay(start, unread)).toEqual([])
  })

  const verbs = imports.flatMap(({ from, to, late }) => (from === 'cli/verbs.ts' && late ? [to] : []))
  it.each([...new Set(verbs), 'cli/verbs/serve.ts'])('leaves unread what %s may never come to', (verb) => {
    const own = READS[verb] ?? []
    expect(readOnTheWay(verb, UNREAD_BY_ALL)).toEqual(
      own.map((name) => expect.stringContaining(` imports ${name}`)),
    )
  })

  it('reads the environment in one file', () => {
    const readers = files.filter((file) => readFileSync(join(ROOT, file), 'utf8').includes('process.env'))
    expect(readers).toEqual(['config/environment.ts'])
  })

  it('has no import cycle', () => {
    const edges = new Map<string, string[]>()
    for (const { from, to, types } of imports) {
      if (types && CIRCLES.includes(`${from} imports ${to}`)) continue
      edges.set(from, [...(edges.get(from) ?? []), to])
    }
    expect(findCycle(edges)).toBeUndefined()
  })

  it('writes the work table where docs/domain.md says', () => {
    const writers = (statement: RegExp) =>
      files.filter((file) => statement.test(readFileSync(join(ROOT, file), 'utf8'))).toSorted()
    const marks = 'touchpoints/reservations/cap-places.ts'
    expect(writers(/(UPDATE|DELETE FROM) touchpoints\b/)).toEqual([
      'touchpoints/interruptions.ts',
      'touchpoints/lifecycle.ts',
      'touchpoints/recovery.ts',
      marks,
    ])
    expect(writers(/INSERT INTO touchpoints\b/)).toEqual([
      'audience/seeds.ts',
      'audience/stages.ts',
      'outcomes/returns.ts',
    ])
  })

  it('takes each lock that stands for no row by its name, and so within the schema', () => {
    const others = files.flatMap((file) => {
      const calls = readFileSync(join(ROOT, file), 'utf8').matchAll(/pg_(?:try_)?advisory\w*\((.{10})/g)
      return [...calls].flatMap(([, key = '']) => (/^\$\{(lockKey|LOCKS\.|keyOf)/.test(key) ? [] : [file]))
    })
    // A stripe's own place is the second half of its key; the first is of the schema.
    expect([...new Set(others)]).toEqual(['database/stripes.ts'])
  })

  it('keeps SQL’s own clock out of decisions', () => {
    const offenders = files.filter((file) => {
      const text = readFileSync(join(ROOT, file), 'utf8').replace(/\/\/.*|\/\*[\s\S]*?\*\//g, '')
      return /sql`[^`]*\b(now\(\)|CURRENT_TIMESTAMP|current_date)\b/i.test(text)
    })
    expect(offenders).toEqual([])
  })
})

/** Which of these packages are read before a file has begun, and by whom. */
function readOnTheWay(start: string, unread: readonly string[]): string[] {
  const read = new Set([start])
  for (const file of read) {
    for (const { from, to, types, late } of imports) if (from === file && !types && !late) read.add(to)
  }
  // By its entry: `drizzle-orm/sql` is the small part that writes statements.
  const among = (entry: string) =>
    unread.some((name) => entry === name || (name.endsWith('/') && entry.startsWith(name)))
  return packages.flatMap(({ from, entry, types, late }) =>
    !types && !late && read.has(from) && among(entry) ? [`${from} imports ${entry}`] : [],
  )
}

/** Depth first; a file met again while it is still on the path closes a cycle. */
function findCycle(edges: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>()
  const visit = (file: string, path: readonly string[]): string[] | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file]
    if (done.has(file)) return undefined
    done.add(file)
    for (const next of edges.get(file) ?? []) {
      const cycle = visit(next, [...path, file])
      if (cycle) return cycle
    }
    return undefined
  }
  for (const file of edges.keys()) {
    const cycle = visit(file, [])
    if (cycle) return cycle
  }
  return undefined
}
