import { z } from 'zod'
import { campaign } from './campaign.ts'
import { outsideBlock, ownChannels, workspace } from './workspace.ts'

/** JSON Schema of campaign files, as they are written, for editors: what `winback schema campaign` prints. */
export function campaignJsonSchema(): Record<string, unknown> {
  return { title: 'A Winback campaign', ...z.toJSONSchema(campaign, { io: 'input' }) }
}

/** JSON Schema of winback.yaml, as it is written. */
export function workspaceJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(workspace, {
    io: 'input',
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema !== ownChannels) return
      const { $schema: _, ...block } = z.toJSONSchema(outsideBlock, { io: 'input' })
      jsonSchema.additionalProperties = block
    },
  })
  return { title: 'A Winback workspace', ...schema }
}
