import type { Command } from 'commander'
import { countActivity } from '../../contacts/activity-sums.ts'
import { WinbackError } from '../../errors.ts'
import { painter } from '../../reports/layout.ts'
import { speechOf } from '../../reports/words.ts'
import { freshenSignals } from '../../service/signals.ts'
import { type Fit, fitSignals, readFit } from '../../signals/fit.ts'
import { rulesOf } from '../../signals/history.ts'
import { markEverybody, refreshSignals } from '../../signals/refresh.ts'
import { readSignalStanding, type SignalStanding } from '../../signals/standing.ts'
import { chooseLocale, sayIn } from '../locale.ts'
import type { Outcome } from '../output.ts'
import { steady } from '../steady.ts'
import { describe, type Start } from '../verb.ts'
import { type DatabaseContext, startInWorkspace } from '../workspace.ts'
import { formatSignals } from './signals-text.ts'

interface SignalsOptions {
  readonly refresh?: boolean
  readonly all?: boolean
  readonly refit?: boolean
  readonly locale?: string
}

export function signals(start: Start): Command {
  return describe('signals', {
    group: 'look',
    summary: 'What is known of everybody: how many are lost or only quiet, and how good the return model is',
    description:
      'Shows how current the signals are, the quintiles’ last fit, and what the return model foresaw against what then ' +
      'happened. `winback start` keeps all of it up to date; --refresh and --refit do it now.',
    examples: [
      ['winback signals', 'status and calibration'],
      ['winback signals --refresh', 'recompute whoever had events since'],
      ['winback signals --refresh --all', 'recompute everybody'],
      ['winback signals --refit', 'fit quintiles and return model now'],
    ],
  })
    .option('--refresh', 'recompute the contacts whose events changed')
    .option('--all', 'with --refresh: everybody')
    .option('--refit', 'fit quintiles and return model now')
    .option('--locale <locale>', 'en or zh-CN, or a variant (default: this machine’s)')
    .action((options: SignalsOptions, command: Command) =>
      startInWorkspace(start, command, (context) => runSignals(context, options)),
    )
}

interface SignalsData extends SignalStanding {
  /** Contacts recomputed by this call. */
  readonly recomputed: number
  readonly fit: Fit | null
}

async function runSignals(context: DatabaseContext, options: SignalsOptions): Promise<Outcome<SignalsData>> {
  const { database, clock } = context
  const workspace = context.loaded.definition
  const rules = rulesOf(workspace)
  const now = clock.now()
  const speech = speechOf({ locale: chooseLocale(options.locale), timezone: workspace.timezone })
  if (options.all && !options.refresh && !options.refit) {
    throw new WinbackError('usage.all', '--all goes with --refresh, and recomputes nothing by itself', {
      remedy: 'Write winback signals --refresh --all.',
    })
  }
  let recomputed = 0
  if (options.refresh || options.refit) {
    const say = sayIn(context.output)
    const progress = steady(context.output.progress(say('Signals', '正在计算信号')))
    const onProgress = (done: number) => progress.update(done, 0, say(`${done} contacts`, `${done} 位联系人`))
    try {
      if (options.all) await markEverybody(database)
      await countActivity(database, workspace, now)
      recomputed = await refreshSignals(database, rules, now, onProgress)
      if (options.refit) await fitSignals(database, rules, workspace.signals.return, now)
      else recomputed += (await freshenSignals({ database, workspace, clock })).contacts
    } finally {
      progress.finish()
    }
  }
  const data = {
    recomputed,
    ...(await readSignalStanding(database, workspace, now)),
    fit: (await readFit(database, now)) ?? null,
  }
  const { colors, width } = context.output
  return { data, text: formatSignals(data, speech, painter(colors.isColorSupported), width) }
}
