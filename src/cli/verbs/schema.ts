import type { Command } from 'commander'
import { campaignJsonSchema, workspaceJsonSchema } from '../../config/json-schema.ts'
import { toJson } from '../output.ts'
import { describe, type Start } from '../verb.ts'

export function schema(start: Start): Command {
  const command = describe('schema', {
    group: 'campaigns',
    summary: 'Print the JSON Schema of a file format, for editors',
    examples: [
      [
        'winback schema campaign > campaigns/campaign.schema.json',
        'what the first line of a campaign points to',
      ],
      ['winback schema workspace', 'the format of winback.yaml'],
    ],
  })
  for (const [name, of, read] of [
    ['campaign', 'campaigns/*.yaml', campaignJsonSchema],
    ['workspace', 'winback.yaml', workspaceJsonSchema],
  ] as const) {
    command
      .command(name)
      .description(`The format of ${of}`)
      .action((_options: unknown, child: Command) =>
        start(child, async () => {
          const document = read()
          return { data: document, text: toJson(document) }
        }),
      )
  }
  return command
}
