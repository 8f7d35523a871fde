import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

// What carries `export` and is imported by nobody is dead, or its own file's business. The formatter writes exports and
// imports in one way, so their text is enough to read them by.

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** The package's entry points, and what drizzle-kit reads: whose exports are for others. */
const FOR_OTHERS = [
  'src/cli.ts',
  'src/channels/author.ts',
  'src/channels/conformance.ts',
  'src/database/schema/',
]

const EXPORT =
  /^export (?:declare )?(?:async )?(?:abstract )?(function\*?|const|let|class|enum|interface|type) (\w+)/gm
const LIST = /^export (?:type )?\{([^}]*)\}/gm
const IMPORT = /^(?:import|export) (?:type )?(?:\w+, )?(?:\{([^}]*)\}|\*(?: as \w+)?) from '(\.[^']+)'/gm
const COMMENT = /\/\*[\s\S]*?\*\/|(?<!:)\/\/.*/g
const WHOLE = /\bimport\(\s*'(\.[^']+)'/g

/** What tests alone import, and why it is no part of theirs. */
const FOR_TESTS: Readonly<Record<string, string>> = {
  VERB_NAMES: 'what the help and the pages are held against',
  factsPage: 'writes docs/facts.md: `npm run facts`',
  // Held to published figures, as the design asks: shared code is held to them by these.
  miettinenNurminen: 'cross-checks the score test that reports use',
  requiredTreated: 'cross-checks the sizes of a plan',
  exactMixturePrior: 'cross-checks the approximation that the sequence uses',
}

/** `a`, `type B` and `c as d` of a list: what is imported by its own name, what is exported by its new one. */
function namesIn(list: string, side: 'own' | 'new'): string[] {
  return list.split(',').flatMap((item) => {
    const [own = '', renamed = own] = item
      .trim()
      .replace(/^type /, '')
      .split(' as ')
    return own === '' ? [] : [side === 'own' ? own : renamed]
  })
}

/** How often a text has a word. */
function timesIn(text: string, word: string): number {
  return [...text.matchAll(new RegExp(`\\b${word}\\b`, 'g'))].length
}

it('is imported by somebody of the product, whatever is exported; a type may also be part of its own file’s signatures', () => {
  const files = ['src', 'test', 'bench'].flatMap((part) =>
    readdirSync(join(ROOT, part), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.tsx?$/.test(name) && !name.includes('node_modules'))
      .map((name) => join(part, name)),
  )
  const texts = new Map(files.map((file) => [file, readFileSync(join(ROOT, file), 'utf8')]))
  const used = new Set<string>()
  const usedInSource = new Set<string>()
  for (const [file, text] of texts) {
    const uses = (what: string) => {
      used.add(what)
      if (file.startsWith('src/')) usedInSource.add(what)
    }
    const from = (specifier = '') => relative(ROOT, resolve(ROOT, dirname(file), specifier))
    for (const [, list, specifier] of text.matchAll(IMPORT)) {
      for (const name of list === undefined ? ['*'] : namesIn(list, 'own')) uses(`${from(specifier)} ${name}`)
    }
    for (const [, specifier] of text.matchAll(WHOLE)) uses(`${from(specifier)} *`)
  }
  const idle: string[] = []
  const tested: string[] = []
  for (const [file, text] of texts) {
    if (!file.startsWith('src/') || FOR_OTHERS.some((place) => file.startsWith(place))) continue
    const isUsed = (name: string) => used.has(`${file} ${name}`) || used.has(`${file} *`)
    const code = text.replace(COMMENT, '')
    for (const [, kind, name = ''] of text.matchAll(EXPORT)) {
      const inSignature = (kind === 'interface' || kind === 'type') && timesIn(text, name) > 1
      if (!isUsed(name) && !inSignature) idle.push(`${file} ${name}`)
      const isShipped = usedInSource.has(`${file} ${name}`) || usedInSource.has(`${file} *`)
      if (!isShipped && isUsed(name) && timesIn(code, name) === 1) tested.push(name)
    }
    for (const [, list = ''] of text.matchAll(LIST)) {
      idle.push(
        ...namesIn(list, 'new')
          .filter((name) => !isUsed(name))
          .map((name) => `${file} ${name}`),
      )
    }
  }
  expect(idle, 'drop the keyword `export`, or what nobody uses').toEqual([])
  expect(tested.toSorted(), 'drop what tests alone use, or give it to them').toEqual(
    Object.keys(FOR_TESTS).toSorted(),
  )
})
