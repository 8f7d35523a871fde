import type { Command } from 'commander'
import { reports } from '../reports/reports.ts'
import type { Timeline } from '../reports/timeline.ts'
import { parseMoment } from './moments.ts'
import type { Outcome } from './output.ts'
import { textStyle } from './report.ts'
import { describe, type Start } from './verb.ts'
import { type DatabaseContext, withWorkspace } from './workspace.ts'

interface ExplainOptions {
  readonly asOf?: string
  readonly locale?: string
  readonly schema?: string
}

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
    .option('--as-of <time>', 'as it stood then (default: now)')
    .option('--locale <locale>', 'language of the words (default: this machine’s)')
    .option('--schema <name>', 'look into another schema, such as that of a replay')
    .action((contact: string, options: ExplainOptions, command: Command) =>
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
  options: ExplainOptions,
): Promise<Outcome<Timeline>> {
  const { timezone } = context.loaded.definition
  const now =
    options.asOf === undefined ? context.clock.now() : parseMoment('--as-of', options.asOf, timezone)
  const timeline = await reports.timeline.read(context.database, { externalId, now })
  return { data: timeline, text: reports.timeline.format(timeline, textStyle(context, options.locale)) }
}
