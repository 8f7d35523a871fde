import type { Context, MiddlewareHandler } from 'hono'
import { z } from 'zod'
import { problemsOf } from '../config/documents/issues.ts'
import { isWritable } from '../config/instants.ts'
import { jsonText } from '../contacts/values/text.ts'
import { messageOf } from '../errors.ts'
import { RefusedError } from './answers.ts'
import type { Inflate } from './inflate.ts'

// What a request says, read by a schema. What does not fit is refused in the words a file of ours is refused in.

/**
 * The JSON of a request's body, as `schema` has it.
 * @throws RefusedError 400, naming what is not as it must be
 */
export async function readBody<Schema extends z.ZodType>(
  c: Context,
  schema: Schema,
): Promise<z.output<Schema>> {
  return readAs(schema, await readJson(c), 'the body')
}

/** @throws RefusedError 415, 400 where it is no JSON, or holds what no text that is kept can hold */
export async function readJson(c: Context): Promise<unknown> {
  const given = parsed(await readText(c))
  const storable = jsonText('the body', given)
  if (typeof storable === 'string') throw new RefusedError(400, 'malformed', storable)
  return given
}

/**
 * The body as text, without the mark that some put before UTF-8.
 * @param inflate where gzip is read, too
 * @throws RefusedError 415 where it is packed in another way; 400 where it is not UTF-8: two keys of another encoding would be
 *   one, each letter of theirs the same sign
 */
export async function readText(c: Context, inflate?: Inflate): Promise<string> {
  const encoding = c.req.header('Content-Encoding') ?? 'identity'
  const packed = inflate !== undefined && GZIP.test(encoding)
  if (!packed && encoding.toLowerCase() !== 'identity') {
    const plain = inflate ? 'plain or as gzip' : 'plain'
    const reason = `a body encoded as ${encoding.slice(0, 50)} is not read; send it ${plain}`
    throw new RefusedError(415, 'encoding', reason)
  }
  const body = await c.req.arrayBuffer()
  const bytes = packed ? await inflate(body) : body
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new RefusedError(400, 'malformed', 'the body is not UTF-8')
  }
}

/** Both names of it: https://www.rfc-editor.org/rfc/rfc9110#section-8.4.1.3 */
const GZIP = /^(x-)?gzip$/i

/** @param parse in the place of JSON's own @throws RefusedError 400 where it is no JSON */
export function parsed(text: string, parse: (text: string) => unknown = JSON.parse): unknown {
  if (text === '') throw new RefusedError(400, 'malformed', 'the body is empty; expected JSON')
  try {
    return parse(text)
  } catch (error) {
    throw new RefusedError(400, 'malformed', `the body: malformed JSON: ${messageOf(error)}`)
  }
}

/**
 * What a request's address asks for, as `schema` has it.
 * @throws RefusedError 400, naming what is not as it must be, and what is there twice: one of the two would be left aside
 */
export function readQuery<Schema extends z.ZodType>(c: Context, schema: Schema): z.output<Schema> {
  const given = Object.entries(c.req.queries())
  const twice = given.find(([, values]) => values.length > 1)
  if (twice) throw new RefusedError(400, 'malformed', `${twice[0]}: given ${twice[1].length} times`)
  return readAs(schema, Object.fromEntries(given.map(([name, [value]]) => [name, value])), 'the query')
}

/**
 * A moment of a request. Others are as good as calendars go, and dates of them cannot be written, to the database or in an
 * answer.
 */
export const moment = z.iso
  .datetime({ offset: true })
  .refine((text) => isWritable(new Date(text)), 'expected a moment of the years 1 to 9999')

/** A UTC day of a request, as its midnight. */
export const day = z.iso
  .date()
  .transform((text) => new Date(`${text}T00:00:00Z`))
  .refine(isWritable, 'expected a day of the years 1 to 9999')

/** Of routes that ask for nothing in the address: what is there would be left aside. @throws RefusedError 400 */
export const refuseQuery: MiddlewareHandler = async (c, next) => {
  readQuery(c, NOTHING)
  await next()
}

const NOTHING = z.strictObject({})

/**
 * @param whole what was given, in words: `the query`
 * @throws RefusedError 400, naming what is not as it must be
 */
export function readAs<Schema extends z.ZodType>(
  schema: Schema,
  given: unknown,
  whole: string,
): z.output<Schema> {
  const read = schema.safeParse(given)
  if (read.success) return read.data
  const place = { file: whole, line: 1, column: 1 }
  const document = { file: whole, text: '', value: given, problems: [], locate: () => place }
  const problems = problemsOf(read.error.issues, { ...document, locateInside: () => place }, given, schema)
  const told = problems.slice(0, TOLD).map(({ path, message, suggestion }) => {
    const meant = suggestion === undefined ? '' : `; did you mean \`${suggestion}\`?`
    return `${path || whole}: ${message}${meant}`
  })
  throw new RefusedError(400, 'malformed', told.join('; '))
}

/** More than a few of one request help nobody. */
const TOLD = 5
