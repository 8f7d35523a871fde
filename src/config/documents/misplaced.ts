import type { Problem } from '../../errors.ts'

// A key that was misspelt, or stands a level off, is wrong where it is and missing where it belongs: one mistake.

export const UNKNOWN_KEY = 'unknown key'

/** Keys that stand in the place of another, which is missing where they are misspelt. */
const INSTEAD: Readonly<Record<string, string>> = { enter: 'inactive' }

/** The problems without those that say again, from the other side, what another says. */
export function toldOnce(problems: readonly Problem[]): Problem[] {
  const missing = problems.filter(({ found }) => found === undefined)
  const echoes = new Set<Problem>()
  const told = problems.map((problem) => {
    if (problem.found === undefined) return problem
    const { parent, key } = split(problem.path)
    const misspelt = missing.find(
      ({ path }) =>
        problem.suggestion !== undefined &&
        [problem.suggestion, INSTEAD[problem.suggestion] ?? ''].some((name) => path === join(parent, name)),
    )
    if (misspelt && problem.message === UNKNOWN_KEY) {
      echoes.add(misspelt)
      return problem
    }
    const home = missing.find(({ path }) => split(path).key === key && holds(split(path).parent, parent))
    if (!home) return problem
    echoes.add(home)
    const { suggestion: _, expected: __, ...rest } = problem
    const owner = split(home.path).parent
    const place = owner === '' ? 'at the left margin, in no block' : `in ${owner}`
    return { ...rest, message: `\`${key}\` belongs ${place}; mind the indentation` }
  })
  return told.filter((problem) => !echoes.has(problem))
}

function split(path: string): { parent: string; key: string } {
  const key = /[^.[\]]+$/.exec(path)?.[0] ?? ''
  return { parent: path.slice(0, path.length - key.length).replace(/\.$/, ''), key }
}

function join(parent: string, key: string): string {
  return parent === '' ? key : `${parent}.${key}`
}

/** Whether one of two blocks stands inside the other. */
function holds(one: string, other: string): boolean {
  const inside = (inner: string, outer: string) =>
    inner !== outer && (outer === '' || inner.startsWith(`${outer}.`) || inner.startsWith(`${outer}[`))
  return inside(one, other) || inside(other, one)
}
