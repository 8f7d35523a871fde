import type { Command } from 'commander'
import { reports } from '../reports/reports.ts'
import type { Timeline } from '../reports/timeline.ts'
import type { Outcome } from './output.ts'
import { textStyle } from './report.ts'
import { describe, type Start } from './verb.ts'
import { type DatabaseContext, withWorkspace } from './workspace.ts'

export function explain(start: Start): Command {
  return describe('explain', {
    group: 'look',
    summary: 'Tell one contact’s whole story in words',
    description:
      'Considered, taken in, contacted or not and why, every message with what became of it, returns and the end.',
    examples: [
      ['winback explain u000123', 'by the id your own system gives the contact'],
      ['winback explain u000123 --locale zh-CN', 'in Chinese'],
    ],
  })
    .argument('<contact>', 'external id')
    .option('--locale <locale>', 'language of the words (default: this machine’s)')
    .option('--schema <name>', 'look into another schema, such as that of a replay')
    .action((contact: string, options: { locale?: string; schema?: string }, command: Command) =>
      start(command, (invocation) =>
        withWorkspace(invocation, (context) => runExplain(context, contact, options), {
          schema: options.schema,
        }),
      ),
    )
}

async function runExplain(
  context: DatabaseContext,
  externalId: string,
  options: { locale?: string },
): Promise<Outcome<Timeline>> {
  const timeline = await reports.timeline.read(context.database, { externalId, now: context.clock.now() })
  return { data: timeline, text: reports.timeline.format(timeline, textStyle(context, options.locale)) }
}
