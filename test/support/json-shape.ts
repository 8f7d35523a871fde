// The shapes of JSON as docs/json.md writes them, read and held against what really comes: `{ name: string, at?: time,
// rows: { line: number }[] }`. A field with `?` may be missing, `[name]` stands for any name, `…` for more that is not said.

/** What a value may be. */
export type Shape =
  | { readonly is: 'one'; readonly name: string }
  | { readonly is: 'word'; readonly word: string }
  | { readonly is: 'named'; readonly shape: () => Shape }
  | { readonly is: 'list'; readonly of: Shape }
  | { readonly is: 'any'; readonly of: readonly Shape[] }
  | {
      readonly is: 'object'
      readonly fields: ReadonlyMap<string, { readonly shape: Shape; readonly optional: boolean }>
      readonly others: Shape | undefined
      readonly open: boolean
    }

const PRIMITIVES: Readonly<Record<string, (value: unknown) => boolean>> = {
  string: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number',
  boolean: (value) => typeof value === 'boolean',
  null: (value) => value === null,
  time: (value) => typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(value),
  day: (value) => typeof value === 'string' && /^\d{4}-\d\d-\d\d$/.test(value),
  unknown: () => true,
}

/**
 * @param named shapes that have a name, which may become known later
 * @throws Error where the text is no shape
 */
export function parseShape(text: string, named: ReadonlyMap<string, Shape> = new Map()): Shape {
  const tokens = text.match(/'[^']*'|…|[\w.$-]+|[{}[\]()|:,?]/g) ?? []
  let at = 0
  const next = () => tokens[at]
  const take = (wanted?: string): string => {
    const token = tokens[at]
    if (token === undefined || (wanted !== undefined && token !== wanted)) {
      throw new Error(`expected ${wanted ?? 'more'} after "${tokens.slice(0, at).join(' ').slice(-80)}"`)
    }
    at += 1
    return token
  }
  const any = (): Shape => {
    const of = [single()]
    while (next() === '|') {
      take()
      of.push(single())
    }
    const [only, ...more] = of
    return only && more.length === 0 ? only : { is: 'any', of }
  }
  const single = (): Shape => {
    let shape = base()
    while (next() === '[' && tokens[at + 1] === ']') {
      at += 2
      shape = { is: 'list', of: shape }
    }
    return shape
  }
  const base = (): Shape => {
    const token = take()
    if (token === '{') return object()
    if (token === '(') {
      const inner = any()
      take(')')
      return inner
    }
    if (token.startsWith("'")) return { is: 'word', word: token.slice(1, -1) }
    if (/^[A-Z]/.test(token)) return { is: 'named', shape: () => shapeNamed(named, token) }
    if (!(token in PRIMITIVES)) throw new Error(`there is no type ${token}`)
    return { is: 'one', name: token }
  }
  const object = (): Shape => {
    const fields = new Map<string, { shape: Shape; optional: boolean }>()
    let others: Shape | undefined
    let open = false
    while (next() !== '}') {
      const token = take()
      if (token === '…') open = true
      else if (token === '[') {
        take()
        take(']')
        take(':')
        others = any()
      } else {
        const optional = next() === '?'
        if (optional) take()
        take(':')
        fields.set(token, { shape: any(), optional })
      }
      if (next() === ',') take()
    }
    take('}')
    return { is: 'object', fields, others, open }
  }
  const shape = any()
  if (at < tokens.length) throw new Error(`"${tokens.slice(at).join(' ').slice(0, 80)}" is left over`)
  return shape
}

function shapeNamed(named: ReadonlyMap<string, Shape>, name: string): Shape {
  const shape = named.get(name)
  if (!shape) throw new Error(`nothing is called ${name}`)
  return shape
}

/** Where a value is not as its shape says. @param seen takes the paths of what was there */
export function misfits(shape: Shape, value: unknown, path = '', seen = new Set<string>()): string[] {
  switch (shape.is) {
    case 'one':
      return PRIMITIVES[shape.name]?.(value) ? [] : [`${path}: ${shown(value)} is no ${shape.name}`]
    case 'word':
      return value === shape.word ? [] : [`${path}: ${shown(value)} is not '${shape.word}'`]
    case 'named':
      return misfits(shape.shape(), value, path, seen)
    case 'list':
      if (!Array.isArray(value)) return [`${path}: ${shown(value)} is no list`]
      return value.flatMap((each) => misfits(shape.of, each, `${path}[]`, seen))
    case 'any': {
      const tried = shape.of.map((each) => {
        const found = new Set<string>()
        return { wrong: misfits(each, value, path, found), found }
      })
      const fitting = tried.find(({ wrong }) => wrong.length === 0)
      for (const each of fitting?.found ?? []) seen.add(each)
      if (fitting) return []
      // What it was nearest to tells most.
      return tried.reduce((best, each) => (each.wrong.length < best.wrong.length ? each : best)).wrong
    }
    case 'object': {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) {
        return [`${path}: ${shown(value)} is no object`]
      }
      const given: Readonly<Record<string, unknown>> = { ...value }
      const wrong = [...shape.fields].flatMap(([name, field]) => {
        const place = path === '' ? name : `${path}.${name}`
        if (!(name in given)) return field.optional ? [] : [`${place}: is missing`]
        seen.add(place)
        return misfits(field.shape, given[name], place, seen)
      })
      const more = Object.entries(given).flatMap(([name, each]) => {
        if (shape.fields.has(name)) return []
        if (shape.others) return misfits(shape.others, each, `${path}.[${name}]`, seen)
        return shape.open ? [] : [`${path}.${name}: is not told of`]
      })
      return [...wrong, ...more]
    }
  }
}

/** Every field that a shape tells of, by its path, of those that may be missing. */
export function optionalFields(shape: Shape, path = ''): string[] {
  switch (shape.is) {
    case 'named':
      return optionalFields(shape.shape(), path)
    case 'list':
      return optionalFields(shape.of, `${path}[]`)
    case 'any':
      return shape.of.flatMap((each) => optionalFields(each, path))
    case 'object':
      return [...shape.fields].flatMap(([name, field]) => {
        const place = path === '' ? name : `${path}.${name}`
        return [...(field.optional ? [place] : []), ...optionalFields(field.shape, place)]
      })
    default:
      return []
  }
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? 'nothing').slice(0, 60)
}
