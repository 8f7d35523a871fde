import type { Command } from 'commander'
import { openChannels, registerChannels } from '../../channels/channels.ts'
import { manualClock } from '../../clock.ts'
import { applyCampaign } from '../../config/apply.ts'
import { parseDuration } from '../../config/quantities.ts'
import { WinbackError } from '../../errors.ts'
import type { OverviewData } from '../../reports/overview/overview.ts'
import { reports } from '../../reports/reports.ts'
import { type Speech, speechOf } from '../../reports/words.ts'
import { openLinks } from '../../service/links.ts'
import { prepareRehearsal, revealActivity } from '../../service/rehearsal.ts'
import { type ReplayResult, replay as replayCampaigns } from '../../service/replay.ts'
import { openRuntime } from '../../service/runtime.ts'
import { SILENT_PROVIDER, silenceChannels } from '../../service/silent.ts'
import { assertTexts, openCampaigns, openTemplates } from '../campaigns.ts'
import { hindranceText } from '../foreseen.ts'
import { sayIn } from '../locale.ts'
import { parseMoment } from '../moments.ts'
import { operator } from '../operator.ts'
import { count, type Outcome } from '../output.ts'
import { describe, type Start } from '../verb.ts'
import { type DatabaseContext, startInWorkspace } from '../workspace.ts'
import { overviewOf, textStyle } from './report.ts'

interface ReplayOptions {
  readonly from: string
  readonly to: string
  readonly schema: string
  readonly step: string
  readonly deliver?: boolean
  readonly locale?: string
}

export function replay(start: Start): Command {
  return describe('replay', {
    group: 'campaigns',
    summary: 'Rehearse campaigns on the past: the same code, driven by the clock, in a schema of its own',
    description:
      'Copies contacts and activity into another schema and goes from tick to tick, knowing at each moment only what ' +
      'had happened by then (attributes, addresses and persons are as they are today). Nothing is sent unless --deliver is given: then messages go out through the workspace’s ' +
      'channels, so point SMTP at a catch-all first. No offer is credited to anybody’s account. Nobody in the past got these messages: the incremental figure ' +
      'of a replay should contain zero.',
    examples: [
      ['winback replay --from 2026-01-01 --to 2026-06-30', 'half a year of every campaign, sending nothing'],
      ['winback report --schema winback_replay', 'its report again'],
    ],
  })
    .argument('[campaigns...]', 'names or files (default: all)')
    .requiredOption('--from <time>', 'the first moment')
    .requiredOption('--to <time>', 'the last moment')
    .option('--schema <name>', 'the schema it happens in; dropped and made anew', 'winback_replay')
    .option('--step <duration>', 'the grid due messages go out on', '1h')
    .option('--deliver', 'really send, through the workspace’s channels')
    .option('--locale <locale>', 'en or zh-CN, or a variant (default: this machine’s)')
    .action((campaigns: string[], options: ReplayOptions, command: Command) =>
      startInWorkspace(start, command, (context) => runReplay(context, campaigns, options)),
    )
}

export interface ReplayVerbResult extends Omit<ReplayResult, 'hindrance'> {
  readonly schema: string
  readonly campaigns: readonly OverviewData[]
}

async function runReplay(
  context: DatabaseContext,
  wanted: readonly string[],
  options: ReplayOptions,
): Promise<Outcome<ReplayVerbResult>> {
  const workspace = context.loaded.definition
  const style = textStyle(context, options.locale)
  const { from, to, step } = spanOf(options, workspace.timezone)
  const templates = await openTemplates(context)
  const campaigns = await openCampaigns(context, templates, wanted)
  assertTexts(campaigns, templates)
  const clock = manualClock(from)
  const say = sayIn(context.output)
  const progress = context.output.progress(say('Replaying', '正在演练'))
  const reached = (now: Date, detail: string) => {
    // What it writes is in a schema of its own, whose statements no interrupt cancels.
    context.interrupt.throwIfAborted()
    progress.update(now.getTime() - from.getTime(), to.getTime() - from.getTime(), detail)
  }
  const copying = say('copying people and what they did', '正在复制联系人和行为数据')
  reached(from, copying)
  const database = await prepareRehearsal(
    context.database,
    options.schema,
    to,
    campaigns.map(({ definition }) => definition.campaign),
    () => reached(from, copying),
  )
  try {
    for (const loaded of campaigns) {
      await applyCampaign(database, {
        loaded,
        templateFiles: templates.files,
        workspace: context.loaded,
        // Applied before the first tick, as it would have been.
        clock: { now: () => new Date(from.getTime() - 1) },
        by: operator(),
      })
    }
    const open = openChannels(registerChannels(workspace))
    const channels = options.deliver ? open : silenceChannels(open)
    const runtime = {
      ...(await openRuntime({
        database,
        workspace,
        clock,
        channels,
        offerProvider: SILENT_PROVIDER,
        // Who gets them may be real, and so is whoever the ids belong to.
        nobodysLinks: await openLinks(context.database, workspace),
      })),
      clock,
    }
    try {
      const result = await replayCampaigns(runtime, {
        from,
        to,
        step,
        reveal: async (after, upTo) => {
          await revealActivity(runtime, workspace, upTo, (revealed) =>
            reached(
              after < from ? from : after,
              `${dayOf(upTo)}${say(`, ${revealed} events`, `，${revealed} 条行为`)}`,
            ),
          )
        },
        onProgress: (now) => reached(now, dayOf(now)),
      })
      progress.finish()
      const replayed = { ...context, database }
      const overviews: OverviewData[] = []
      for (const { definition } of campaigns) {
        overviews.push(await overviewOf(replayed, runtime.book, definition.campaign, { now: to }))
      }
      const { hindrance, ...counted } = result
      return {
        data: { schema: options.schema, ...counted, campaigns: overviews },
        text: [
          replayedText(result, options.schema, speechOf(style)),
          ...overviews.map((data) => reports.overview.format(data, style)),
        ].join('\n\n'),
      }
    } finally {
      await runtime.close()
    }
  } finally {
    progress.finish()
    await database.close()
  }
}

function dayOf(now: Date): string {
  return now.toISOString().slice(0, 10)
}

function spanOf(
  options: Pick<ReplayOptions, 'from' | 'to' | 'step'>,
  timezone: string,
): { readonly from: Date; readonly to: Date; readonly step: number } {
  const from = parseMoment('--from', options.from, timezone)
  const to = parseMoment('--to', options.to, timezone)
  const step = parseDuration(options.step)
  if (step === undefined || step === 0) {
    throw new WinbackError('usage.duration', `--step wants a duration, found "${options.step}"`, {
      remedy: 'Write 15m, 1h or 1d.',
    })
  }
  if (to <= from) throw new WinbackError('usage.moment', '--to must be later than --from')
  return { from, to, step }
}

function replayedText(
  { runs, refused, refusal, hindrance }: ReplayResult,
  schema: string,
  speech: Speech,
): string {
  const last = hindrance ? hindranceText(hindrance, speech) : refusal
  return sayIn(speech)(
    `${count(runs, 'run')}, ${refused} refused${last ? ` (at last: ${last})` : ''}; everything is in the schema ${schema}.`,
    `运行 ${runs} 次，其中 ${refused} 次被拒绝${last ? `（最后一次：${last}）` : ''}；全部数据位于 schema ${schema}。`,
  )
}
