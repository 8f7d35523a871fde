import type { Command } from 'commander'
import { type Consideration, considerContact } from '../../audience/consider.ts'
import type { CampaignBook } from '../../config/compiled.ts'
import { appliedNames } from '../../config/versions.ts'
import { findContact } from '../../contacts/external-ids.ts'
import { hanging } from '../../reports/layout.ts'
import { ANSWERS, OUTSIDE } from '../../reports/reasons.ts'
import type { TextStyle } from '../../reports/report.ts'
import { reports } from '../../reports/reports.ts'
import type { Timeline } from '../../reports/timeline/timeline.ts'
import { bracketed, sentence, speechOf } from '../../reports/words.ts'
import { readStory } from '../../service/reporting.ts'
import { readFit } from '../../signals/fit.ts'
import { type Portrait, readPortrait } from '../../signals/portrait.ts'
import { currentVersion } from '../current-version.ts'
import { type Say, sayIn } from '../locale.ts'
import { parseMoment } from '../moments.ts'
import type { Outcome } from '../output.ts'
import { openQuietRuntime } from '../quiet-runtime.ts'
import { describe, type Start } from '../verb.ts'
import { type DatabaseContext, startInWorkspace } from '../workspace.ts'
import { textStyle } from './report.ts'
import { describePortrait } from './signal-words.ts'

interface ExplainOptions {
  readonly asOf?: string
  readonly locale?: string
  readonly schema?: string
  readonly unmasked?: boolean
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
    .option('--locale <locale>', 'en or zh-CN, or a variant (default: this machine’s)')
    .option('--unmasked', 'addresses and numbers as they are')
    .option('--schema <name>', 'look into another schema, such as that of a replay')
    .action((contact: string, options: ExplainOptions, command: Command) =>
      startInWorkspace(start, command, (context) => runExplain(context, contact, options), {
        schema: options.schema,
      }),
    )
}

async function runExplain(
  context: DatabaseContext,
  externalId: string,
  options: ExplainOptions,
): Promise<Outcome<Timeline & { considered: readonly Consideration[]; signals: Portrait }>> {
  const { timezone } = context.loaded.definition
  const now =
    options.asOf === undefined ? context.clock.now() : parseMoment('--as-of', options.asOf, timezone)
  const style = textStyle(context, options.locale)
  const { book } = await openQuietRuntime(context)
  const { unmasked } = options
  const workspace = context.loaded.definition
  const timeline = await readStory(
    { database: context.database, book, workspace },
    { externalId, now, unmasked },
  )
  const contactId = await findContact(context.database, externalId)
  const say = sayIn(speechOf({ locale: style.locale }))
  const considered = await considerEverywhere(context, say, book, contactId, now)
  const signals = await readPortrait(context.database, workspace, contactId, now)
  const fit = await readFit(context.database, now)
  const known = describePortrait(signals, speechOf({ locale: style.locale, timezone }), fit?.note)
  const below = [...known, ...formatConsidered(considered, style)].flatMap((line) =>
    hanging(line, style.width),
  )
  return {
    data: { ...timeline, considered, signals },
    text: [reports.timeline.format(timeline, style), ...below].join('\n'),
  }
}

/** What each applied campaign's next run would make of the contact. */
async function considerEverywhere(
  { database, output }: DatabaseContext,
  say: Say,
  book: CampaignBook,
  contactId: number,
  now: Date,
): Promise<Consideration[]> {
  const considered: Consideration[] = []
  for (const name of await appliedNames(database)) {
    const current = await currentVersion(book, name, output, say)
    if (current) considered.push(await considerContact(database, current, contactId, now))
  }
  return considered
}

/** `graded-recall, if it ran now: …` */
function formatConsidered(considered: readonly Consideration[], style: TextStyle): string[] {
  const speech = speechOf(style)
  const { language } = speech
  return considered.map(({ campaign, answer, tier, segment }) => {
    const why = sentence({ ...ANSWERS, ...OUTSIDE }, answer, language)
    const place =
      tier === null ? '' : bracketed([tier, segment].join(language === 'en' ? ', ' : '，'), speech)
    return language === 'en'
      ? `${campaign}, if it ran now: ${why}${place}.`
      : `${campaign}，若此刻运行：${why}${place}。`
  })
}
