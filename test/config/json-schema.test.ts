import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { readDocument } from '../../src/config/documents/document.ts'
import { campaignJsonSchema, workspaceJsonSchema } from '../../src/config/json-schema.ts'
import { CAMPAIGN_YAML, WORKSPACE_YAML } from './support/samples.ts'

const schemas = [
  ['campaign', campaignJsonSchema(), CAMPAIGN_YAML],
  ['workspace', workspaceJsonSchema(), WORKSPACE_YAML],
] as const

describe.each(schemas)('%s', (_, schema, text) => {
  const validator = z.fromJSONSchema(schema)
  const value = readDocument('a.yaml', text).value

  test('says yes to what is right and no to what is not', () => {
    expect(validator.safeParse(value).error?.issues).toBeUndefined()
    expect(validator.safeParse({ ...Object(value), rolout: '1%' }).success).toBe(false)
    expect(validator.safeParse({ ...Object(value), version: 2 }).success).toBe(false)
    expect(validator.safeParse({ ...Object(value), control: 3, holdout: 3 }).success).toBe(false)
  })

  test('describes every key of a campaign and a workspace', () => {
    const bare: string[] = []
    const walk = (node: unknown, path: string) => {
      if (node === null || typeof node !== 'object') return
      for (const [key, child] of Object.entries(Reflect.get(node, 'properties') ?? {})) {
        const at = `${path}.${key}`
        if (typeof Reflect.get(Object(child), 'description') !== 'string') bare.push(at)
        // A channel's settings are its own to describe.
        if (path !== '.channels') walk(child, at)
      }
      for (const key of ['items', 'additionalProperties']) walk(Reflect.get(node, key), `${path}.*`)
      for (const key of ['anyOf', 'oneOf']) {
        for (const option of Reflect.get(node, key) ?? []) walk(option, path)
      }
    }
    walk(schema, '')
    expect(bare).toEqual([])
  })
})
