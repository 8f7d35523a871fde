import { z } from 'zod'
import { refusal } from './answers.ts'
import { AREAS, OPERATIONS, type Operation, REFUSED, refusalsOf } from './operations.ts'

// The description of the API as OpenAPI 3.1, written from the schemas requests are read with. It says nothing that the
// routes do not do: a test goes through both.

type Json = Readonly<Record<string, unknown>>

/** @param about where it is served, and of which version */
export function openapiDocument(about: { readonly version: string; readonly url: string | undefined }): Json {
  const paths: Record<string, Record<string, Json>> = {}
  for (const [route, operation] of Object.entries(OPERATIONS)) {
    const [method = '', path = ''] = route.split(' ')
    paths[path] = { ...paths[path], [method.toLowerCase()]: describe(method, path, operation) }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Winback',
      version: about.version,
      description:
        'A key is sent as `Authorization: Bearer KEY`, or by HTTP Basic as the user. Everything refused is JSON with a reason.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    ...(about.url === undefined ? {} : { servers: [{ url: about.url }] }),
    tags: Object.entries(AREAS).map(([name, { en }]) => ({ name, description: en })),
    paths,
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer' },
        basic: { type: 'http', scheme: 'basic' },
      },
      schemas: { Refusal: schemaOf(refusal, 'output') },
    },
  }
}

function describe(method: string, path: string, operation: Operation): Json {
  const { area, summary, scope, body, answer, csv } = operation
  const refused = refusalsOf(operation).map((status): [string, Json] => [
    String(status),
    {
      description: REFUSED[status].en,
      content: { 'application/json': { schema: { $ref: '#/components/schemas/Refusal' } } },
    },
  ])
  const content =
    typeof answer === 'string'
      ? { [answer]: { schema: { type: 'string' } } }
      : {
          'application/json': { schema: schemaOf(answer, 'output') },
          ...(csv && { 'text/csv': { schema: { type: 'string' } } }),
        }
  return {
    operationId: `${method.toLowerCase()}${path.replace(/[^a-z]+(.)?/gi, (_all, next: string = '') => next.toUpperCase())}`,
    tags: [area],
    summary: summary.en,
    ...(scope === null ? { security: [] } : { security: [{ bearer: [] }, { basic: [] }], 'x-scope': scope }),
    parameters: parametersOf(path, operation),
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: body.optional !== true,
            content: {
              [body.type ?? 'application/json']: {
                schema: schemaOf(body.schema, 'input'),
                ...(body.example === undefined ? {} : { example: body.example }),
              },
            },
          },
        }),
    responses: { 200: { description: 'Done', content }, ...Object.fromEntries(refused) },
  }
}

function parametersOf(path: string, { query, body }: Operation): Json[] {
  const packing = body?.gzip
    ? [
        {
          name: 'Content-Encoding',
          in: 'header',
          required: false,
          schema: { type: 'string', enum: ['gzip'] },
          description: 'Where the body is packed; the limits count what it inflates to',
        },
      ]
    : []
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }))
  if (!query) return [...inPath, ...packing]
  const { properties = {}, required = [] } = schemaOf(query, 'input') as {
    properties?: Record<string, Json>
    required?: string[]
  }
  const asked = Object.entries(properties).map(([name, { description, ...schema }]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    schema,
    ...(description === undefined ? {} : { description }),
  }))
  return [...inPath, ...asked, ...packing]
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' })
  return rest
}
