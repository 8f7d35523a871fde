import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { formatPath, readDocument } from '../../../src/config/documents/document.ts'

const place = ({ line, column }: { line?: number; column?: number }) => `${line}:${column}`

/** Each line ten times the one above it. */
function bomb(): string {
  const tenfold = (no: number) =>
    `a${no}: &a${no} [${Array.from({ length: 10 }, () => `*a${no - 1}`).join(', ')}]`
  return ['a0: &a0 [x]', ...[1, 2, 3, 4, 5, 6].map(tenfold)].join('\n')
}

describe('locate', () => {
  const text = `# a comment
name: shop
tiers:
  - name: coupon
    steps: [{ id: a }, { id: b }]
  - name: &n letter
again: *n
`
  const document = readDocument('a.yaml', text)

  test('values, keys, and parents of what is missing', () => {
    expect(document.problems).toEqual([])
    expect(place(document.locate(['name']))).toBe('2:7')
    expect(place(document.locate(['name'], 'key'))).toBe('2:1')
    expect(place(document.locate(['tiers', 0, 'name']))).toBe('4:11')
    expect(place(document.locate(['tiers', 0, 'steps', 1, 'id']))).toBe('5:30')
    expect(place(document.locate(['tiers', 1, 'inactive']))).toBe('6:5')
    expect(place(document.locate(['nothing', 'here']))).toBe('2:1')
  })

  test('an alias stands where its anchor is', () => {
    expect(document.value).toMatchObject({ again: 'letter' })
    expect(place(document.locate(['again']))).toBe('6:14')
  })
})

test('`<<` takes in the keys of another block, as an anchor is mostly meant', () => {
  const { value, problems, locate } = readDocument('a.yaml', 'a: &a { x: 1, y: 2 }\nb:\n  <<: *a\n  y: 3\n')
  expect({ value, problems }).toEqual({ value: { a: { x: 1, y: 2 }, b: { x: 1, y: 3 } }, problems: [] })
  expect(place(locate(['b', 'y']))).toBe('4:6')
  expect(place(locate(['b', 'x']))).toBe('2:1')
})

test.each([
  ['a: 1\nb: 2\na: 3\n', '3:1', /twice/],
  [
    'l:\n  - n: 1\n    s: 2\n    n: 3\n    s: 4\n',
    '4:5',
    /^this key is there twice: the next entry of a list begins with `- `/,
  ],
  ['l:\n  - n: 1\n    s: 2\n    s: 4\n', '4:5', /^this key is there twice; keep one/],
  ['a:\n\t- 1\n', '2:1', /tab/],
  ['a:\n  - b: 1\n\tc:\n    - d: 2\n  - b: 3\n    c:\n      - d: 4\n', '3:1', /tab/],
  ['a: ｛ event: session ｝\nb: 1\n', '1:4', /^`｛` is a full-width character; write `\{`$/],
  ['a: [1, 2\nb: 3\n', '1:4', /^this `\[` is closed nowhere; end it with `\]`$/],
  ['l:\n  - { a: 1, b: { c: 2 }\n  - { a: 2 }\nz: 3\n', '2:5', /^this `\{` is closed nowhere/],
  ['a: {\n  x: 1,\n  y: [2\n\nb: 3\n', '3:6', /^this `\[` is closed nowhere/],
  ['a: "x\n', '1:4', /^this `"` is closed nowhere; end it with `"`$/],
  ["n: 1\na: 'x\nb: 2\n", '2:4', /^this `'` is closed nowhere/],
  ['a: { x: "1 }\nb: 2\n', '1:9', /^this `"` is closed nowhere/],
  ['b: 1\na: *nobody\n', '2:4', /^no `&nobody` before this .*; a text that begins with \* stands in quotes$/],
  ['a: */5 * * * *\n', '1:4', /a text that begins with \* stands in quotes$/],
  ['a: [1]]\nb: 2\n', '1:7', /^this `\]` closes nothing; take it out$/],
  ['l:\n  - { a: !b.sent }\n', '2:10', /^a text that begins with ! stands in quotes$/],
  ['a: @x\n', '1:4', /stands in quotes$/],
  ['a: > 30 days\nb: 1\n', '1:6', /^a text that begins with > or \| stands in quotes/],
  ['a: &x [1, *x]\n', '1:11', /^`\*x` stands inside what `&x` names/],
  ['a: 1\n---\nb: 1\n', '2:1', /more than one/],
  ['a: 1\nb:2\n', '2:1', /^a key is followed by a colon and a space/],
  ['a: 1\nb = 2\nc: 3\n', '2:1', /^a key is followed by a colon and a space/],
  ['a: { b: 1 c: 2 }\n', '1:9', /^a comma is missing before this/],
  ['a: { b: 1,, c: 2 }\n', '1:11', /^nothing stands before this comma/],
  ['a: 1\n// no\nb: 2\n', '2:1', /^a comment begins with #$/],
  ['a: 1\n<<<<<<< HEAD\nb: 2\n=======\nb: 3\n>>>>>>> x\n', '2:1', /^a merge was left undone here/],
  ['a: "x == "y""\n', '1:11', /^a text in quotes ends before this; put the whole between single quotes/],
  [
    'l:\n  - { a: x in ["y", "z"], b: 2 }\n  - { c: 3 }\nd: 4\n',
    '2:15',
    /^between braces a text ends before a bracket; put the whole value between single quotes/,
  ],
  ['a: { b: 50,000 CNY }\n', '1:9', /^a comma ends the value here; write 50000 CNY$/],
  [
    't:\n  - n: 1\n    s: 2\n  n: 2\n    i: 3\n  - n: 4\n    i: 5\n',
    '4:1',
    /, and each entry of a list its `- `$/,
  ],
  [`a: ${'['.repeat(51)}${']'.repeat(51)}\n`, '1:53', /^this stands more than 50 blocks or lists deep/],
  [`a: ${'['.repeat(20_000)}\n`, '1:53', /^this stands more than 50 blocks or lists deep/],
  [`a： ${'['.repeat(20_000)}\n`, '1:53', /^this stands more than 50 blocks or lists deep/],
  [`${'- '.repeat(20_000)}a\n`, '1:101', /^this stands more than 50 blocks or lists deep/],
  [bomb(), '5:25', /^up to here, what is repeated by \* comes to more than 10,000 parts/],
  // Each was looked for in the whole file, and found after a minute.
  [`a: &x 1\nb: [${'*x, '.repeat(20_000)}]\n`, '2:40005', /^up to here, what is repeated/],
])('%j is refused at %s', (text, at, message) => {
  const { problems, value } = readDocument('a.yaml', text)
  expect(problems).toHaveLength(1)
  expect(place(problems[0]?.location ?? {})).toBe(at)
  expect(problems[0]?.message).toMatch(message)
  expect(value).toBeUndefined()
})

test.each([
  ['a: 1\nb:\u00a030d\n', '2:3'],
  ['t:\n  n: 1\n\u00a0\u00a0i: 3\n  s: 1\n', '3:1'],
])('a space that is none, as a web page has it, hides nothing else: %j', (text, at) => {
  const { problems, value } = readDocument('a.yaml', text)
  expect(problems.map(({ location, message }) => [place(location), message])).toEqual([
    [at, 'this is a no-break space (U+00A0); write an ordinary space'],
  ])
  expect(JSON.stringify(value)).toMatch(/"(?:b":"30d|s":1)/)
})

// Compared each with each, they would take minutes, which the time a test may take does not allow.
test('a file of as many keys as fit is read, located and held for repeats key by key', () => {
  const keys = Array.from({ length: 20_000 }, (_, at) => `k${at}`)
  const { problems, locate } = readDocument('a.yaml', `${keys.map((key) => `${key}: 1`).join('\n')}\nk1: 2\n`)
  expect(problems.map(({ location }) => place(location))).toEqual(['20001:1'])
  expect(keys.map((key) => locate([key], 'key').line)).toEqual(keys.map((_, at) => at + 1))
})

describe('locateInside', () => {
  // In each, the position of the letter X is asked for by its offset in the parsed value.
  test.each([
    ['plain', 'k: a == X\n', '1:9'],
    ['plain over lines', 'k: a ==\n   b\n   && X\n', '3:7'],
    ['single-quoted', "k: 'it''s == X'\n", '1:14'],
    ['double-quoted with escapes', 'k: "a\\u0041\\"\\n\\x41 == X"\n', '1:24'],
    ['double-quoted over lines', 'k: "a\n   b \\\n   X"\n', '3:4'],
    ['literal block', 'k: |\n  a\n    == X\n', '3:8'],
    ['literal block with an indentation indicator', 'k: |2-\n    a\n   X\n', '3:4'],
    ['folded block', 'k: >-\n  a ==\n\n  b X\n', '4:5'],
    ['in a list of maps', 'l:\n  - k: "a X"\n', '2:11'],
    ['after Chinese text and an emoji', 'k: "会员 😀 == X"\n', '1:14'],
  ])('%s', (_, text, at) => {
    const document = readDocument('a.yaml', text)
    const path = text.startsWith('l:') ? ['l', 0, 'k'] : ['k']
    const value = path.reduce<unknown>((inner, step) => Reflect.get(Object(inner), step), document.value)
    expect(place(document.locateInside(path, String(value).indexOf('X')))).toBe(at)
  })

  test('the character found is the character meant, in every style YAML has', () => {
    const word = fc.string({
      unit: fc.constantFrom('a', 'b', "'", '"', '\\', '#', ':', '会', '😀', '&'),
      minLength: 1,
      maxLength: 5,
    })
    const text = fc.array(fc.tuple(word, fc.constantFrom(' ', '  ', '\n', '\n\n', '\n   ')), {
      minLength: 1,
      maxLength: 8,
    })
    const style = fc.constantFrom('PLAIN', 'QUOTE_DOUBLE', 'QUOTE_SINGLE', 'BLOCK_LITERAL', 'BLOCK_FOLDED')
    fc.assert(
      fc.property(text, style, (words, type) => {
        const value = `x${words.map(([w, gap]) => gap + w).join('')}`
        const yaml = stringify({ k: { l: value } }, { defaultStringType: type as 'PLAIN', lineWidth: 20 })
        const document = readDocument('a.yaml', yaml)
        // Plain text with blank lines does not always survive being written, nor an emoji at the end of a line.
        fc.pre(!/\p{Surrogate}/u.test(yaml))
        fc.pre(Reflect.get(Object(Reflect.get(Object(document.value), 'k')), 'l') === value)
        const lines = yaml.split('\n')
        for (const [offset, character] of [...value.matchAll(/\S/gu)].map((m) => [m.index, m[0]] as const)) {
          const { line = 0, column = 0 } = document.locateInside(['k', 'l'], offset)
          const found = (lines[line - 1] ?? '').slice(column - 1)
          // A quote or backslash may be written as an escape.
          expect(found.startsWith(character) || found.startsWith(`\\${character}`)).toBe(true)
        }
      }),
      { numRuns: 500 },
    )
  })
})

test('formatPath', () => {
  expect(formatPath(['tiers', 1, 'steps', 0, 'template'])).toBe('tiers[1].steps[0].template')
  expect(formatPath([])).toBe('')
})
