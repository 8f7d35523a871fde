import { z } from 'zod'
import { campaign } from './campaign.ts'
import { workspace } from './workspace.ts'

/** JSON Schema of campaign files, as they are written, for editors: what `winback schema campaign` prints. */
export function campaignJsonSchema(): Record<string, unknown> {
  return { title: 'A Winback campaign', ...z.toJSONSchema(campaign, { io: 'input' }) }
}

/** JSON Schema of winback.yaml, as it is written. */
export function workspaceJsonSchema(): Record<string, unknown> {
  return { title: 'A Winback workspace', ...z.toJSONSchema(workspace, { io: 'input' }) }
}
