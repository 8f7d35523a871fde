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
const WHOLE = /\bimport\(\s*'(\.[^']+)'/g

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

it('is imported by somebody, whatever is exported; a type may also be part of its own file’s signatures', () => {
  const files = ['src', 'test', 'bench'].flatMap((part) =>
    readdirSync(join(ROOT, part), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.tsx?$/.test(name) && !name.includes('node_modules'))
      .map((name) => join(part, name)),
  )
  const texts = new Map(files.map((file) => [file, readFileSync(join(ROOT, file), 'utf8')]))
  const used = new Set<string>()
  for (const [file, text] of texts) {
    const from = (specifier = '') => relative(ROOT, resolve(ROOT, dirname(file), specifier))
    for (const [, list, specifier] of text.matchAll(IMPORT)) {
      for (const name of list === undefined ? ['*'] : namesIn(list, 'own'))
        used.add(`${from(specifier)} ${name}`)
    }
    for (const [, specifier] of text.matchAll(WHOLE)) used.add(`${from(specifier)} *`)
  }
  const idle: string[] = []
  for (const [file, text] of texts) {
    if (!file.startsWith('src/') || FOR_OTHERS.some((place) => file.startsWith(place))) continue
    const isUsed = (name: string) => used.has(`${file} ${name}`) || used.has(`${file} *`)
    for (const [, kind, name = ''] of text.matchAll(EXPORT)) {
      const inSignature =
        (kind === 'interface' || kind === 'type') &&
        [...text.matchAll(new RegExp(`\\b${name}\\b`, 'g'))].length > 1
      if (!isUsed(name) && !inSignature) idle.push(`${file} ${name}`)
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
})
