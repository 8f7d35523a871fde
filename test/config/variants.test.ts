import { describe, expect, test } from 'vitest'
import { compileCampaign } from '../../src/config/compile.ts'
import { readCampaign } from '../../src/config/load.ts'
import { boundsOf, givesOffer, inVariant, templatesOf } from '../../src/config/variants.ts'
import { CAMPAIGN_YAML, sampleTemplates, sampleWorkspace } from './support/samples.ts'

const TEMPLATES = sampleTemplates({
  'reminder-story': ['contact.points'],
  'coupon-story': ['contact.first_name', 'offer.amount'],
  'coupon-vip-story': ['offer.amount'],
})

/** The sample with something more on its first step, or another step in its place. */
function withVariants(variants: string, from = 'template: reminder\n'): string {
  if (!CAMPAIGN_YAML.includes(from)) throw new Error(`the sample has no ${from}`)
  return CAMPAIGN_YAML.replace(from, `${from.trimEnd()}\n        variants: ${variants}\n`)
}

const read = (text: string) => readCampaign('campaigns/x.yaml', text, sampleWorkspace(), TEMPLATES)

function compile(text: string) {
  const { definition, problems } = read(text)
  expect(problems).toEqual([])
  if (!definition) throw new Error('the campaign is not right')
  const steps = definition.tiers.flatMap((tier) => tier.steps)
  const compiled = compileCampaign({
    definition,
    version: 1,
    salt: 'salt',
    stepIds: new Map(steps.map(({ id }, at) => [id, at + 1])),
    workspace: sampleWorkspace(),
    templates: TEMPLATES,
    templateSet: '',
  })
  return (id: string) => {
    const step = compiled.tiers.flatMap((tier) => tier.steps).find((each) => each.id === id)
    if (!step) throw new Error(`no step ${id}`)
    return step
  }
}

describe('a step with variants', () => {
  test('takes for each its own template and offer, else the step’s', () => {
    const step = compile(
      withVariants('{ plain: 50%, story: 30%, gift: { share: 20%, template: coupon, offer: five_off } }'),
    )('remind')
    expect(step.variants?.map(({ name, share }) => [name, share])).toEqual([
      ['plain', 0.5],
      ['story', 0.3],
      ['gift', 0.2],
    ])
    const said = (name: string) => inVariant(step, name).templates.get('everyone')?.name
    expect(['plain', 'story', 'gift'].map(said)).toEqual(['reminder', 'reminder-story', 'coupon'])
    expect(inVariant(step, 'gift').offer?.name).toBe('five_off')
    expect(inVariant(step, 'plain').offer).toBeUndefined()
    // As its first, for whatever knows nothing of variants.
    expect(said('unheard of')).toBe('reminder')
    expect(givesOffer(step)).toBe(true)
    const facts = new Set(templatesOf(step).flatMap((template) => template.facts.map(({ path }) => path)))
    expect([...facts].toSorted()).toEqual(['contact.first_name', 'contact.points', 'orders.last_at'])
  })

  test('finds the text of a variant for each segment', () => {
    const step = compile(
      withVariants('{ plain: 50%, story: 50% }', 'template: { high_value: coupon-vip, everyone: coupon }\n'),
    )('coupon')
    const story = inVariant(step, 'story').templates
    expect([...story].map(([segment, { name }]) => [segment, name])).toEqual([
      ['everyone', 'coupon-story'],
      ['high_value', 'coupon-vip-story'],
    ])
    // Of the step, whatever the variant.
    expect(inVariant(step, 'story').otherwise?.name).toBe('come-back')
    expect(inVariant(step, 'story').offer?.name).toBe('five_off')
  })

  test('needs no template of its own where each variant has one', () => {
    const text = withVariants(
      '{ a: { share: 50%, template: reminder }, b: { share: 50%, template: come-back } }',
    )
    expect(compile(text.replace('template: reminder\n', 'after: 1h\n'))('remind').variants).toHaveLength(2)
  })

  test('adds its shares up as percentages', () => {
    expect(boundsOf([0.1, 0.2, 0.7])).toEqual([0.1, 0.3])
    expect(
      read(withVariants('{ plain: 33.34%, story: 33.33%, gift: { share: 33.33%, template: come-back } }'))
        .problems,
    ).toEqual([])
  })
})

describe('is refused', () => {
  const refusals: [name: string, text: string, at: string, says: string | RegExp][] = [
    [
      'alone',
      withVariants('{ plain: 100% }'),
      'variants',
      'one variant is nothing to compare; name at least two, or none',
    ],
    [
      'short of the whole',
      withVariants('{ plain: 50%, story: 40% }'),
      'variants',
      'the shares come to 90%; they must come to 100%',
    ],
    ['beyond the whole', withVariants('{ plain: 50%, story: 60% }'), 'variants', /come to 110%/],
    ['without a share', withVariants('{ plain: 100%, story: 0% }'), 'story', /^nobody would get story/],
    [
      'saying the same as another',
      withVariants('{ plain: 50%, tale: 50% }'),
      'tale',
      'plain and tale send the same; write a template reminder-tale, or name one: { share: 50%, template: … }',
    ],
    [
      'named like a channel',
      withVariants('{ plain: 50%, email: { share: 50%, template: come-back } }'),
      'email: {',
      /^email is a channel of this step/,
    ],
    [
      'badly named',
      withVariants('{ plain: 50%, Story: { share: 50%, template: come-back } }'),
      'Story',
      /^expected a name of lower-case letters/,
    ],
    [
      'with a share that is a number',
      withVariants('{ plain: 50%, story: 50 }'),
      '50 }',
      'expected a percentage such as 10% or a block of keys, found `50`',
    ],
    [
      'with a share of more than all',
      withVariants('{ plain: 50%, story: 150% }'),
      '150%',
      'expected at most 100%, found 150%',
    ],
    [
      'with a share in words',
      withVariants('{ plain: 50%, story: half }'),
      'half',
      'expected a percentage such as 10%, found `half`',
    ],
    [
      'with an unknown key',
      withVariants('{ plain: 50%, story: { share: 50%, templat: come-back } }'),
      'templat:',
      'unknown key',
    ],
    [
      'with an unknown template',
      withVariants('{ plain: 50%, story: { share: 50%, template: come-bak } }'),
      'come-bak',
      /^unknown template `come-bak`/,
    ],
    [
      'with an unknown offer',
      withVariants('{ plain: 50%, story: { share: 50%, offer: ten_off } }'),
      'ten_off',
      /^unknown offer `ten_off`/,
    ],
    [
      'of a template nothing can fill',
      withVariants('{ plain: 50%, story: { share: 50%, template: coupon-story } }'),
      'coupon-story',
      /^template coupon-story uses \{\{offer.amount\}\}.*but the step has no `offer`/,
    ],
  ]
  test.each(refusals)('%s', (_name, text, at, says) => {
    const { problems } = read(text)
    expect(problems.map(({ message }) => message)).toEqual([
      typeof says === 'string' ? says : expect.stringMatching(says),
    ])
    const [problem] = problems
    const before = text.slice(0, text.indexOf(at)).split('\n')
    expect(`${problem?.location.line}:${problem?.location.column}`).toBe(
      `${before.length}:${(before.at(-1) ?? '').length + 1}`,
    )
  })

  test('where what it brings back could not be measured', () => {
    const greeting = `on_return:\n  - { id: welcome, channel: log, variants: { a: 50%, b: { share: 50%, offer: five_off } } }\n`
    expect(read(`${CAMPAIGN_YAML}${greeting}`).problems.map(({ message }) => message)).toEqual([
      expect.stringMatching(/^steps of on_return go to those who are back already/),
    ])
  })
})
