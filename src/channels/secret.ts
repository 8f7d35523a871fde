import type { ZodType } from 'zod'

/**
 * A setting that is a secret: it is only ever written as a reference, and `validate` refuses it in clear. JSON Schema
 * has a word for it, so that editors are told, too.
 */
export function secret<Schema extends ZodType>(schema: Schema): Schema {
  return schema.meta({ ...schema.meta(), writeOnly: true })
}
