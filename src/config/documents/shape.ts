import { z } from 'zod'

// Looking into a zod schema: which keys an object may have, and what of a broken document can still be used.

type Schema = z.core.$ZodType

/** The schema without the wrappers that only say "may be absent". */
function unwrap(schema: Schema): Schema {
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodNullable
  ) {
    return unwrap(schema.unwrap())
  }
  return schema
}

/** The member of a discriminated union that the value says it is. */
function member(schema: z.ZodDiscriminatedUnion, value: unknown): Schema | undefined {
  if (!isRecord(value)) return undefined
  const tag = value[schema.def.discriminator]
  return schema.options.find((option) => {
    if (!(option instanceof z.ZodObject)) return false
    const literal = option.shape[schema.def.discriminator]
    return literal instanceof z.ZodLiteral && literal.values.has(tag as never)
  })
}

function child(schema: Schema, step: string | number, value: unknown): Schema | undefined {
  const inner = unwrap(schema)
  if (inner instanceof z.ZodPipe) return child(inner.in, step, value)
  if (inner instanceof z.ZodObject) return inner.shape[step]
  if (inner instanceof z.ZodRecord) return inner.valueType
  if (inner instanceof z.ZodArray) return inner.element
  if (inner instanceof z.ZodDiscriminatedUnion) {
    const found = member(inner, value)
    return found && child(found, step, value)
  }
  if (inner instanceof z.ZodUnion) {
    for (const option of inner.options) {
      const found = child(option, step, value)
      if (found) return found
    }
  }
  return undefined
}

/** The schema of what stands at `path` of a document; undefined where no key of that name belongs. */
export function schemaAt(
  schema: Schema,
  document: unknown,
  path: readonly PropertyKey[],
): { schema: Schema; value: unknown } | undefined {
  let current: Schema | undefined = schema
  let value = document
  for (const step of path) {
    if (typeof step === 'symbol' || !current) return undefined
    current = child(current, step, value)
    value = value !== null && typeof value === 'object' ? Reflect.get(value, step) : undefined
  }
  return current && { schema: current, value }
}

/** What a union is a choice of, in its order; empty for anything else. */
export function branchesOf(schema: Schema): readonly Schema[] {
  const inner = unwrap(schema)
  return inner instanceof z.ZodUnion ? inner.options : []
}

/** The keys that may stand at `path` of a document; empty where any name may, or none. */
export function keysAt(schema: Schema, document: unknown, path: readonly PropertyKey[]): string[] {
  const found = schemaAt(schema, document, path)
  return found ? keysOf(found.schema, found.value) : []
}

function keysOf(schema: Schema, value: unknown): string[] {
  const inner = unwrap(schema)
  if (inner instanceof z.ZodObject) return Object.keys(inner.shape)
  if (inner instanceof z.ZodDiscriminatedUnion) {
    const found = member(inner, value)
    return found ? keysOf(found, value) : []
  }
  return inner instanceof z.ZodUnion ? inner.options.flatMap((option) => keysOf(option, value)) : []
}

/**
 * What a broken document still says: each part that is right by itself is parsed, the rest is undefined. So the
 * checks that look at several parts run in spite of a mistake elsewhere, and one run names every mistake. A key that is
 * misspelt counts as the one `nearest` takes it for.
 */
export function salvage(
  schema: Schema,
  value: unknown,
  nearest: (name: string, names: string[]) => string | undefined,
): unknown {
  const part = (inner: Schema, of: unknown) => salvage(inner, of, nearest)
  const whole = z.safeParse(schema, value)
  if (whole.success) return whole.data
  const inner = unwrap(schema)
  if (inner instanceof z.ZodObject && isRecord(value)) {
    const keys = Object.keys(inner.shape)
    const given = new Map<string, unknown>()
    for (const [key, item] of Object.entries(value)) {
      const meant = keys.includes(key) ? key : nearest(key, keys)
      if (meant !== undefined && (meant === key || !Object.hasOwn(value, meant))) given.set(meant, item)
    }
    const entries = keys.map((key) => [key, part(inner.shape[key], given.get(key))] as const)
    return Object.fromEntries(entries.filter(([, item]) => item !== undefined))
  }
  if (inner instanceof z.ZodArray && Array.isArray(value)) {
    return value.map((item) => part(inner.element, item))
  }
  if (inner instanceof z.ZodRecord && isRecord(value)) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, part(inner.valueType, item)]))
  }
  if (inner instanceof z.ZodDiscriminatedUnion) {
    const found = member(inner, value)
    return found && part(found, value)
  }
  return undefined
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}
