import { z } from 'zod'
import type { Path } from './document.ts'

/** Where secrets stand in what a schema reads: the settings it marks by `secret` of channels/secret.ts. */
export function secretsOf(schema: z.ZodType): Path[] {
  return [...marked(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }), [])]
}

function* marked(schema: unknown, path: Path): Generator<Path> {
  if (typeof schema !== 'object' || schema === null) return
  if ('writeOnly' in schema && schema.writeOnly === true) yield path
  for (const [word, part] of Object.entries(schema)) {
    if (word === 'anyOf' || word === 'oneOf' || word === 'allOf') {
      for (const one of Object.values(part)) yield* marked(one, path)
    }
    if (word === 'properties')
      for (const [key, one] of Object.entries(part)) yield* marked(one, [...path, key])
  }
}
