// A JSON Schema as people read it: one line a field, nested ones by their path.

export interface Field {
  /** `frequency.at_most`, `calls[].id`. */
  readonly path: string
  /** `text`, `number`, `one of a, b`. */
  readonly type: string
  readonly required: boolean
  readonly description: string
}

interface Schema {
  /** Several where it may also be null. */
  readonly type?: string | readonly string[]
  readonly format?: string
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly items?: Schema
  readonly additionalProperties?: Schema | boolean
  readonly anyOf?: readonly Schema[]
  readonly description?: string
}

/** The fields of a schema, in its order. Alternatives stand one after the other. */
export function fieldsOf(schema: unknown, path = '', required = true): Field[] {
  const { properties, items, anyOf, description = '', ...rest } = schema as Schema
  const alternatives = anyOf?.filter(({ type }) => type !== 'null')
  if (alternatives?.some(({ properties: inner }) => inner)) {
    return alternatives.flatMap((each) => fieldsOf({ description, ...each }, path, required))
  }
  if (properties) {
    const under = Object.entries(properties).flatMap(([name, each]) =>
      fieldsOf(each, path === '' ? name : `${path}.${name}`, rest.required?.includes(name) ?? false),
    )
    return path === '' ? under : [{ path, type: 'object', required, description }, ...under]
  }
  const inner = items && (items.properties || items.anyOf?.some(({ properties: each }) => each))
  if (inner) {
    return [
      { path, type: 'list', required, description },
      ...fieldsOf(items, `${path}[]`, true).slice(items.properties ? 1 : 0),
    ]
  }
  return path === '' ? [] : [{ path, type: typeOf(schema as Schema), required, description }]
}

function typeOf({
  type,
  format,
  enum: values,
  const: only,
  items,
  anyOf,
  additionalProperties,
}: Schema): string {
  if (values) return values.map(String).join(' | ')
  if (only !== undefined) return String(only)
  if (anyOf) return [...new Set(anyOf.map(typeOf))].join(' | ')
  if (type === 'array') return `list of ${items ? typeOf(items) : 'anything'}`
  if (type === 'object') {
    return typeof additionalProperties === 'object' ? `object of ${typeOf(additionalProperties)}` : 'object'
  }
  if (typeof type === 'object') return [format ?? type[0], ...type.slice(1)].join(' | ')
  return format ?? type ?? 'anything'
}
