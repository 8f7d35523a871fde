import type { Command } from 'commander'
import { WinbackError } from '../../errors.ts'
import {
  type Annotation,
  addAnnotation,
  LONGEST_LABEL,
  listAnnotations,
  removeAnnotation,
} from '../../reports/annotations.ts'
import { hanging } from '../../reports/layout.ts'
import { appliedCampaign } from '../applied-campaign.ts'
import { type Say, type Spoken, sayIn, speechIn, spoken } from '../locale.ts'
import { operator } from '../operator.ts'
import type { Outcome } from '../output.ts'
import { describe, type Start, wholeNumber } from '../verb.ts'
import { type DatabaseContext, startInWorkspace } from '../workspace.ts'

interface AnnotateOptions extends Spoken {
  readonly on?: string
  readonly to?: string
  readonly campaign?: string
  readonly remove?: number
}

export function annotate(start: Start): Command {
  const command = describe('annotate', {
    group: 'look',
    summary: 'Note what else happened on a day: it is marked on every curve',
    description: 'A promotion, an outage, a rival’s sale. Without a text, lists what was noted.',
    examples: [
      [
        'winback annotate "Singles’ Day" --on 2026-11-09 --to 2026-11-11',
        'days, both included; all campaigns',
      ],
      ['winback annotate "SMS provider down" --on 2026-11-20 --campaign graded-recall', 'about one campaign'],
      ['winback annotate --remove 3', 'by the number the list shows'],
    ],
  })
  return spoken(command)
    .argument('[text]', 'what happened')
    .option('--on <day>', 'the day it was, or began (default: today)')
    .option('--to <day>', 'the last day of it')
    .option('--campaign <name>', 'the campaign it is about (default: all)')
    .option('--remove <number>', 'takes one away', wholeNumber('--remove'))
    .action((text: string | undefined, options: AnnotateOptions, command: Command) =>
      startInWorkspace(start, command, (context) => runAnnotate(context, text, options)),
    )
}

export interface AnnotateResult {
  readonly annotations: readonly Annotation[]
}

async function runAnnotate(
  context: DatabaseContext,
  text: string | undefined,
  options: AnnotateOptions,
): Promise<Outcome<AnnotateResult>> {
  const { database, clock } = context
  const { on, to, campaign, remove } = options
  const say = sayIn(speechIn(context, options))
  // One of them might fail once the other is done, and the audit has one entry for both.
  if (remove !== undefined && text !== undefined) {
    throw new WinbackError('usage.annotation', 'say a text, or --remove, and not both', {
      remedy: 'Run it once for each.',
    })
  }
  if (remove !== undefined && !(await removeAnnotation(database, remove))) {
    throw new WinbackError('usage.annotation', `there is no annotation ${remove}`, {
      remedy: 'Run `winback annotate` to see them.',
    })
  }
  if (text !== undefined) {
    const from = dayOf('--on', on ?? clock.now().toISOString().slice(0, 10))
    const until = to === undefined ? from : dayOf('--to', to)
    if (until < from) throw new WinbackError('usage.day', `--to ${until} is before --on ${from}`)
    const label = labelOf(text)
    const about = campaign === undefined ? null : await appliedCampaign(context, campaign)
    await addAnnotation(database, {
      campaign: about,
      from,
      to: until,
      label,
      by: operator(),
      now: clock.now(),
    })
  }
  const annotations = await listAnnotations(database)
  return { data: { annotations }, text: formatAnnotations(annotations, say, context.output.width) }
}

function formatAnnotations(annotations: readonly Annotation[], say: Say, width: number): string {
  if (annotations.length === 0) {
    return say(
      'Nothing was noted yet: `winback annotate "Singles’ Day" --on 2026-11-11` does.',
      '还没有标注，可用 `winback annotate "双十一" --on 2026-11-11` 添加。',
    )
  }
  return annotations
    .flatMap(({ id, campaign, from, to, label }) => {
      const days = from === to ? from : say(`${from} to ${to}`, `${from} 至 ${to}`)
      const about = campaign === null ? '' : say(` (${campaign})`, `（${campaign}）`)
      return hanging(`${String(id).padStart(4)}  ${days}  ${label}${about}`, width)
    })
    .join('\n')
}

/** One line of text. @throws WinbackError `usage.annotation` */
function labelOf(text: string): string {
  const label = text.replace(/\s+/g, ' ').trim()
  if (label === '') throw new WinbackError('usage.annotation', 'the text is empty')
  const { length } = [...label]
  if (length > LONGEST_LABEL) {
    throw new WinbackError(
      'usage.annotation',
      `the text has ${length} characters, and ${LONGEST_LABEL} is the most: it is written on every curve`,
      { remedy: 'Say in a few words what happened.' },
    )
  }
  return label
}

/** @throws WinbackError `usage.day` */
function dayOf(option: string, text: string): string {
  const at = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN
  if (Number.isNaN(at) || new Date(at).toISOString().slice(0, 10) !== text) {
    throw new WinbackError('usage.day', `${option} wants a day such as 2026-11-11, found "${text}"`)
  }
  return text
}
