import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { formatProblems } from '../../src/config/documents/problems.ts'
import { environmentFrom } from '../../src/config/environment.ts'
import { readCampaign, readWorkspace } from '../../src/config/load.ts'
import { CAMPAIGN_YAML, sampleTemplates, sampleWorkspace, WORKSPACE_YAML } from './support/samples.ts'

// Whatever a person does to a valid file, the answer is a list of problems or success, never an exception.

type Container = Record<string, unknown> | unknown[]
type Mutation = (container: Container, key: string) => void

/** Every place of a document: the container and the key in it. */
function placesOf(value: unknown): [Container, string][] {
  if (value === null || typeof value !== 'object') return []
  const container = value as Container
  return Object.entries(container).flatMap(([key, item]) => [
    [container, key] as [Container, string],
    ...placesOf(item),
  ])
}

const remove: Mutation = (container, key) => {
  if (Array.isArray(container)) container.splice(Number(key), 1)
  else delete container[key]
}
const rename =
  (to: string): Mutation =>
  (container, key) => {
    if (Array.isArray(container)) return
    container[to] = container[key]
    delete container[key]
  }
const replace =
  (by: unknown): Mutation =>
  (container, key) =>
    Reflect.set(container, key, structuredClone(by))

const mutations = fc.oneof(
  fc.constant(remove),
  fc.constantFrom('chanel', 'tmeplate', '', '__proto__', 'constructor', '0', '名', 'everyone').map(rename),
  fc
    .constantFrom(
      null,
      0,
      1,
      -1,
      10,
      0.5,
      1e21,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      true,
      '',
      ' ',
      '10',
      '7d',
    )
    .map(replace),
  fc
    .constantFrom(
      '5 CNY',
      '3d..7d',
      '“x”',
      '${',
      '\u0000',
      'toString',
      [],
      [null],
      [[]],
      {},
      { '': null },
      { a: [1] },
    )
    .map(replace),
)

function mutated(source: string) {
  return fc.array(fc.tuple(fc.nat(), mutations), { minLength: 1, maxLength: 3 }).map((changes) => {
    const document: unknown = parse(source)
    for (const [at, mutate] of changes) {
      const places = placesOf(document)
      const place = places[at % places.length]
      if (place) mutate(...place)
    }
    return stringify(document)
  })
}

test('a campaign that was changed anywhere ends in problems or success', () => {
  const workspace = sampleWorkspace()
  const templates = sampleTemplates()
  fc.assert(
    fc.property(mutated(CAMPAIGN_YAML), (text) => {
      const { definition, problems } = readCampaign('x.yaml', text, workspace, templates)
      expect(formatProblems(problems, { 'x.yaml': text })).not.toContain('undefined')
      expect(definition !== undefined || problems.length > 0).toBe(true)
    }),
    { numRuns: 600 },
  )
}, 60_000)

test('so does a workspace', () => {
  fc.assert(
    fc.property(mutated(WORKSPACE_YAML), (text) => {
      const { definition, problems } = readWorkspace('winback.yaml', text, environmentFrom({}), '.')
      expect(formatProblems(problems, { 'winback.yaml': text })).not.toContain('undefined')
      expect(definition !== undefined || problems.length > 0).toBe(true)
    }),
    { numRuns: 600 },
  )
}, 60_000)
