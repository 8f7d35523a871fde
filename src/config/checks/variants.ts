import type { Problem } from '../../errors.ts'
import { ON_RETURN } from '../campaign.ts'
import type { Path } from '../documents/document.ts'
import { sayingOf } from '../variants.ts'
import { type Checked, finding, stepsOf } from './findings.ts'

type Place = ReturnType<typeof stepsOf> extends Generator<infer Found> ? Found : never

/** Variants that can be told apart and measured, with shares that come to a whole. */
export function checkVariants(checked: Checked): Problem[] {
  return [...stepsOf(checked.campaign)].flatMap((place) =>
    place.step.variants === undefined ? [] : [...checkStep(checked, place)],
  )
}

function* checkStep(checked: Checked, place: Place): Generator<Problem> {
  const { document } = checked
  const { step, tier } = place
  const path = [...place.path, 'variants']
  const atKey = { at: 'key' } as const
  if (tier.name === ON_RETURN) {
    yield finding(
      document,
      path,
      'steps of on_return go to those who are back already: which variant brings back more could not be measured',
      atKey,
    )
    return
  }
  if (step.script !== undefined || step.channel?.includes('callback')) {
    yield finding(document, path, 'a call has one script; only messages are compared by variants', atKey)
    return
  }
  yield* checkShares(checked, place, path)
  yield* checkDifference(checked, place, path)
}

function* checkShares({ document }: Checked, { step }: Place, path: Path): Generator<Problem> {
  const variants = Object.entries(step.variants ?? {})
  if (variants.length < 2) {
    yield finding(document, path, 'one variant is nothing to compare; name at least two, or none', {
      at: 'key',
    })
    return
  }
  let sum = 0
  let readable = true
  for (const [name, variant] of variants) {
    const share = variant?.share
    if (share === undefined) readable = false
    else sum += share
    if (share === 0) {
      yield finding(document, [...path, name], `nobody would get ${name}; give it a share, or take it out`, {
        at: 'key',
      })
    }
  }
  // A share that could not be read is reported where it stands.
  if (!readable || Math.abs(sum - 1) < 1e-6) return
  const come = `${Math.round(sum * 1e6) / 1e4}%`
  yield finding(document, path, `the shares come to ${come}; they must come to 100%`, {
    at: 'key',
    expected: '100%',
  })
}

function* checkDifference({ document, templates }: Checked, { step }: Place, path: Path): Generator<Problem> {
  const names = templates.names()
  const alike = new Map<string, string>()
  for (const [name, variant] of Object.entries(step.variants ?? {})) {
    if (variant === undefined) continue
    if (step.channel?.includes(name)) {
      yield finding(
        document,
        [...path, name],
        `${name} is a channel of this step, and a template -${name} is what every variant says there; use another name`,
        { at: 'key' },
      )
    }
    const said = sayingOf(step, name, variant, (text) => names.includes(text))
    const texts = typeof said.template === 'string' ? [said.template] : Object.values(said.template ?? {})
    // A template there is not is reported where it stands.
    if (texts.some((each) => each === undefined || !names.includes(each))) continue
    const saying = JSON.stringify(said)
    const other = alike.get(saying)
    alike.set(saying, other ?? name)
    if (other === undefined) continue
    const template = typeof step.template === 'string' ? step.template : undefined
    const write = template === undefined ? '' : `write a template ${template}-${name}, or `
    yield finding(
      document,
      [...path, name],
      `${other} and ${name} send the same; ${write}name one: { share: 50%, template: … }`,
      { at: 'key' },
    )
  }
}
