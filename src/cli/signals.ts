import type { Command } from 'commander'
import { painter, table } from '../reports/layout.ts'
import { freshenSignals, MODEL_WORDS } from '../service/signals.ts'
import { type Calibration, type Fit, fitSignals, readFit, sampleDivisor } from '../signals/fit.ts'
import { rulesOf } from '../signals/history.ts'
import { markEverybody, refreshSignals } from '../signals/refresh.ts'
import { readStanding, type Standing } from '../signals/standing.ts'
import type { Outcome } from './output.ts'
import { steady } from './steady.ts'
import { describe, type Start } from './verb.ts'
import { type DatabaseContext, withWorkspace } from './workspace.ts'

interface SignalsOptions {
  readonly refresh?: boolean
  readonly all?: boolean
  readonly refit?: boolean
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
    .action((options: SignalsOptions, command: Command) =>
      start(command, (invocation) => withWorkspace(invocation, (context) => runSignals(context, options))),
    )
}

interface SignalsData extends Standing {
  /** Contacts recomputed by this call. */
  readonly recomputed: number
  readonly fit: Fit | null
}

async function runSignals(context: DatabaseContext, options: SignalsOptions): Promise<Outcome<SignalsData>> {
  const { database, clock } = context
  const workspace = context.loaded.definition
  const rules = rulesOf(workspace)
  const now = clock.now()
  let recomputed = 0
  if (options.refresh || options.refit) {
    const progress = steady(context.output.progress('Signals'))
    const onProgress = (done: number) => progress.update(done, 0, `${done} contacts`)
    try {
      if (options.all) await markEverybody(database)
      recomputed = await refreshSignals(database, rules, now, onProgress)
      if (options.refit) await fitSignals(database, rules, workspace.signals.return, now)
      else recomputed += (await freshenSignals({ database, workspace, clock })).contacts
    } finally {
      progress.finish()
    }
  }
  const data = {
    recomputed,
    ...(await readStanding(database, workspace, now)),
    fit: (await readFit(database, now)) ?? null,
  }
  return { data, text: formatSignals(data, context) }
}

function formatSignals(data: SignalsData, { output }: DatabaseContext): string {
  const number = (value: number) => value.toLocaleString('en')
  const color = painter(output.colors.isColorSupported)
  const counts = (values: Readonly<Record<string, number>>) =>
    Object.entries(values)
      .map(([name, contacts]) => `${name} ${number(contacts)}`)
      .join(', ')
  if (data.contacts === 0 && data.waiting === 0) {
    return 'Nothing is known of anybody yet. Run `winback import contacts FILE` and `winback import activity FILE` first.'
  }
  const lines = [
    `Signals of ${number(data.contacts)} contacts; ${number(data.waiting)} wait to be recomputed${data.recomputed > 0 ? `, ${number(data.recomputed)} were just now` : ''}.`,
    `Churn: ${counts(data.churn)}`,
    `Why:   ${counts(data.reasons)}`,
    `Risk:  ${counts(data.risk)}`,
    '',
  ]
  const { fit } = data
  if (!fit) return [...lines, 'Nothing was fitted yet: run `winback signals --refit`.'].join('\n')
  const when = fit.fittedAt.toISOString().slice(0, 16).replace('T', ' ')
  lines.push(
    `Fitted ${when} UTC on ${number(fit.buyers)} buyers and ${number(fit.contacts)} contacts with activity, ${number(fit.repeaters)} of whom came back at least once.`,
  )
  if (!fit.model) {
    const why = fit.note ? MODEL_WORDS[fit.note].en : 'no model'
    const instead = fit.silence ? 'by plain silence' : 'not at all, for there is no past yet'
    return [...lines, `Return model: none (${why}). return_probability is told ${instead}.`].join('\n')
  }
  const { r, alpha, a, b } = fit.model
  const four = (value: number) => value.toFixed(4)
  lines.push(
    `Return model BG/NBD in weeks: r ${four(r)}, α ${four(alpha)}, a ${four(a)}, b ${four(b)}; log-likelihood ${fit.logLikelihood?.toFixed(4) ?? ''}`,
  )
  return [...lines, '', ...formatCalibration(fit, color)].join('\n')
}

function formatCalibration(
  { calibration, contacts }: { readonly calibration: Calibration | null; readonly contacts: number },
  color: ReturnType<typeof painter>,
): string[] {
  if (!calibration) return ['There is too little past yet to hold the model against.']
  const divisor = sampleDivisor(contacts)
  const sample = divisor === 1 ? '' : ` in a sample of one in ${divisor.toLocaleString('en')}`
  const percent = (share: number) => `${(share * 100).toFixed(2)} %`
  const days = Math.round(calibration.horizon / 86_400)
  return [
    `As known on ${calibration.cutoff.slice(0, 10)}, of ${calibration.people.toLocaleString('en')} contacts active by then${sample}, ${percent(calibration.foreseen)} would return within ${days} days; ${percent(calibration.seen)} did.`,
    `Told apart (AUC, 0.5 is chance): model ${calibration.auc.toFixed(3)}, plain silence ${calibration.silenceAuc.toFixed(3)}`,
    '',
    ...table(
      [
        { title: 'tenth', align: 'right' },
        { title: 'contacts', align: 'right' },
        { title: 'foreseen', align: 'right' },
        { title: 'came back', align: 'right' },
      ],
      calibration.rows.map((row, index) => [
        String(index + 1),
        row.people.toLocaleString('en'),
        percent(row.foreseen),
        percent(row.seen),
      ]),
      color,
    ),
  ]
}
