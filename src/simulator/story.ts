import { mkdir } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { sql } from 'drizzle-orm'
import type pc from 'picocolors'
import { runCampaign } from '../audience/run.ts'
import { openTemplates, readCampaigns } from '../cli/campaigns.ts'
import { aborted } from '../cli/interrupt.ts'
import { count, openOutput } from '../cli/output.ts'
import type { Invocation } from '../cli/verb.ts'
import { SHIPPED_CAMPAIGNS, writeWorkspace } from '../cli/verbs/init.ts'
import { planCampaign } from '../cli/verbs/plan/plan.ts'
import { type DatabaseContext, embeddedDirectory } from '../cli/workspace.ts'
import { openWorkspace, type WorkspaceContext } from '../cli/workspace-file.ts'
import { later, manualClock } from '../clock.ts'
import { applyCampaign } from '../config/apply.ts'
import { readEnvironment } from '../config/environment.ts'
import type { LoadedCampaign } from '../config/load.ts'
import { registerDevices } from '../contacts/devices.ts'
import type { ImportOptions } from '../contacts/files/file-import.ts'
import { importActivity, importContacts, importSuppressions } from '../contacts/import.ts'
import { assertServer, connect, type Database, execute, transaction } from '../database/connect.ts'
import { openEmbedded } from '../database/embedded.ts'
import { migrate } from '../database/migrate.ts'
import { ConfigError } from '../errors.ts'
import { replay } from '../service/replay.ts'
import { openRuntime } from '../service/runtime.ts'
import { freshenSignals } from '../service/signals.ts'
import { plantActs } from './acts.ts'
import { writeFiles } from './files.ts'
import { findPlanted } from './found.ts'
import { openLiving } from './living.ts'
import { type Mailbox, openMailbox } from './mailbox.ts'
import { findRecipient, formatMessages } from './messages.ts'
import { openWeb } from './open-web.ts'
import type { DemoOptions } from './options.ts'
import { drawPopulation } from './population.ts'
import { FIRST, MEASURED, plantRenewals, writeProgramme } from './programme.ts'
import { openProviders } from './providers/providers.ts'
import { reportBetween } from './providers/reports.ts'
import { tellResults } from './results.ts'
import { openWorld } from './world.ts'

// The whole story in a minute: a population that is known to the last hazard, sixty days of a real campaign over
// real SMTP, and what the report makes of it beside what is true.

const SEED = 2025
// In the past, so that whoever looks at the demo afterwards looks back on all of it.
const START = new Date('2025-09-01T00:00:00+08:00')
/** Seconds: what is due between the runs at nine goes out every eighth hour, which in Shanghai is at eight and sixteen. */
const STEP = 28_800
/** Batches at a time: PostgreSQL is busy with one while another is rendered and sent. */
const BESIDE = 4

/**
 * Sixty days change little of what a model learns of a year: it is fitted twice, and not every Monday. Links of mails
 * lead to where the web is opened in the end.
 */
const SETTINGS = `signals: { refit: "0 3 1 1,4,7,10 *" }
web: { url: "http://127.0.0.1:7420" }`

/** Closes whatever was opened on the way, the last first, however far it came. */
export async function playDemo(options: DemoOptions, interrupt: AbortSignal): Promise<void> {
  const open: (() => Promise<void>)[] = []
  try {
    await play(options, interrupt, (close) => open.push(close))
  } finally {
    for (const close of open.toReversed()) await close()
  }
}

/** @param keep is handed what closes each thing that was opened */
async function play(
  { folder, people, days, web: asked }: DemoOptions,
  interrupt: AbortSignal,
  keep: (close: () => Promise<void>) => void,
): Promise<void> {
  const end = later(START, days * 86_400)
  const environment = { ...readEnvironment(), databaseUrl: undefined, redisUrl: undefined }
  const clock = manualClock(START)
  const output = openOutput({
    json: false,
    noColor: environment.noColor,
    stdout: process.stdout,
    stderr: process.stderr,
  })
  const { colors } = output
  const started = performance.now()
  const say = (text: string) => {
    const seconds = `${((performance.now() - started) / 1000).toFixed(1)} s`.padStart(7)
    process.stdout.write(`${colors.dim(seconds)}  ${text}\n`)
  }

  // Made ready while people are drawn.
  await mkdir(folder, { recursive: true })
  const starting = openEmbedded({ directory: embeddedDirectory(folder), durable: false })
  // It is asked for below: until then, a server that does not start is nobody's error.
  const embedded = starting.catch(() => undefined)
  keep(async () => (await embedded)?.stop())

  const population = drawPopulation({ seed: SEED, size: people, start: START })
  const world = openWorld(population)
  const history = world.advance(population.start)
  const planted = plantActs(world)
  const mailbox = await openMailbox(population, clock)
  keep(mailbox.close)
  const providers = await openProviders(population, folder)
  keep(providers.close)
  await writeWorkspace(folder, {
    name: 'Lantern Tea',
    timezone: 'Asia/Shanghai',
    smtp: { host: '127.0.0.1', port: mailbox.port, connections: 20 },
    channels: providers.channels,
    settings: SETTINGS,
    campaigns: SHIPPED_CAMPAIGNS,
    overwrite: true,
  })
  await writeProgramme(folder)
  say(
    `A workspace in ${shown(folder)}, ${count(people, 'simulated person', 'simulated people')}, a mail server and providers of texts, pushes, calls and webhooks that take what is for them`,
  )

  const invocation: Invocation = {
    environment,
    output,
    cwd: folder,
    workspaceFile: undefined,
    clock,
    interrupt,
  }
  const written = await openWorkspace(invocation)
  const workspace = written.loaded.definition
  const reading = readShipped(written)
  // It is asked for below, as the server is.
  reading.catch(() => {})
  const server = await starting
  const { schema } = workspace.database
  // Each connection plans a statement for itself, the first five times anew, and a step's takes longer to plan than to run.
  const database = connect(server.url, { schema, applicationName: 'winback demo', max: BESIDE })
  keep(() => database.close())
  await execute(database, sql`DROP SCHEMA IF EXISTS ${sql.identifier(database.schema)} CASCADE`)
  const { version } = await assertServer(database)
  const context: DatabaseContext = { ...written, database, engine: { kind: 'embedded', version } }
  await migrate(database)
  say('An embedded PostgreSQL beside it')

  const acts = planted.flatMap((person) => person.acts)
  const files = await writeFiles(join(folder, 'data'), population, history, acts)
  const options: ImportOptions = { clock, workspace, asOf: START }
  const contacts = await importContacts(database, files.contacts, options)
  const activity = await importActivity(database, files.activity, options)
  const suppressions = await importSuppressions(database, files.suppressions, options)
  const devices = providers.devices.map((device) => ({ ...device, at: START }))
  const registered = await transaction(database, (tx) => registerDevices(tx, devices))
  say(
    `Imported ${count(contacts.inserted, 'contact')}, ${count(activity.inserted, 'event')}, ${count(suppressions.inserted, 'suppression')}, ${count(registered, 'device')}`,
  )

  await freshenSignals({ database, workspace, clock })
  const found = await findPlanted(database, workspace, planted, START)

  const { loaded, others } = await planAndApply(context, await reading, say)

  const runtime = { ...(await openRuntime({ database, workspace, clock })), clock }
  for (const name of FIRST) {
    const current = await runtime.book.current(name)
    if (current) await runCampaign(runtime.run, current, START)
  }
  const progress = output.progress(`Replaying ${days} days`, { total: days })
  try {
    await replay(runtime, {
      from: START,
      to: end,
      step: STEP,
      freshen: 'runs',
      beside: BESIDE,
      reveal: await openLiving(runtime, {
        world,
        mailbox,
        moving: MEASURED,
        acts: plantRenewals(population, planted),
        report: (after, upTo) => reportBetween(runtime, population, providers, after, upTo),
      }),
      onProgress: (now) => {
        interrupt.throwIfAborted()
        progress.update(daysIn(now), days, now.toISOString().slice(0, 10))
      },
    })
  } finally {
    progress.finish()
    await runtime.close()
  }
  const { arrived, refused } = mailbox.counts()
  const taken = providers.counts()
  const overHttp = [
    count(taken.pushes, 'push', 'pushes'),
    count(taken.texts, 'text'),
    count(taken.calls, 'call'),
    count(taken.webhook, 'card'),
  ]
  say(
    `${days} days replayed: ${count(arrived, 'mail')} arrived over SMTP, ${refused} refused; over HTTP ${overHttp.join(', ')}`,
  )

  const style = {
    locale: Intl.DateTimeFormat().resolvedOptions().locale,
    currency: workspace.currency,
    timezone: workspace.timezone,
    color: colors.isColorSupported,
    width: output.width,
  }
  const results = { runtime, loaded, others, world, found, now: end }
  for await (const text of tellResults(context, results, style)) {
    process.stdout.write(`${text}\n\n`)
  }
  const recipient = (await findRecipient(database)) ?? 'u000001'
  process.stdout.write(`${colors.bold('What one of them got, in order')}\n`)
  process.stdout.write(`${await formatMessages(runtime, { externalId: recipient, now: end }, style)}\n`)
  process.stdout.write(`${whereNext(folder, recipient, end, colors)}\n`)
  say('Done')
  // On a build server, or in a pipe, nobody is there to end it.
  const watched = process.stdout.isTTY === true && !environment.ci
  if (!(asked ?? watched) || interrupt.aborted) return
  await holdOpen(context, mailbox, end)
}

/** The campaigns of the workspace and their templates. Read while PostgreSQL is busy with the import. */
async function readShipped(context: WorkspaceContext) {
  const templates = await openTemplates(context)
  return { templates, read: await readCampaigns(context, templates) }
}

/** Plans the campaign that is measured, and applies it exactly as planned, the others beside it. */
async function planAndApply(
  context: DatabaseContext,
  { templates, read }: Awaited<ReturnType<typeof readShipped>>,
  say: (text: string) => void,
): Promise<{ readonly loaded: LoadedCampaign; readonly others: readonly string[] }> {
  const { database, clock } = context
  const loaded = read.campaigns.find(({ definition }) => definition.campaign === MEASURED)
  if (!loaded || read.problems.length > 0) throw new ConfigError(read.problems)
  say(
    `${count(read.campaigns.length, 'campaign')} in ${shown(join(context.cwd, 'campaigns'))}, and nothing wrong with them`,
  )
  const plan = await planCampaign(context, loaded, templates, START)
  const wanted = plan.audience.cells.filter((cell) => cell.answer === 'opened')
  const largest = plan.detectable.find((each) => each.difference !== null)
  say(
    `Plan ${plan.hash} of ${MEASURED}: would take in ${count(total(wanted), 'person', 'people')} at once, hold out ${percent(loaded.definition.holdout)}` +
      (largest?.difference ? `; shows differences from ${(largest.difference * 100).toFixed(1)} pp` : ''),
  )
  for (const campaign of read.campaigns) {
    await applyCampaign(database, {
      loaded: campaign,
      templateFiles: templates.files,
      workspace: context.loaded,
      clock,
      by: 'demo',
      ...(campaign === loaded ? { expectedPlan: plan.hash } : {}),
    })
  }
  const others = read.campaigns.flatMap(({ definition }) =>
    definition.campaign === MEASURED ? [] : [definition.campaign],
  )
  await fixDraws(database)
  say(`Applied: ${MEASURED} exactly as planned, and beside it ${others.join(', ')}`)
  return { loaded, others }
}

/** The web over all of this, until Ctrl-C. */
async function holdOpen(context: DatabaseContext, mailbox: Mailbox, end: Date): Promise<void> {
  const { colors } = context.output
  const web = await openWeb(context, mailbox, end)
  try {
    process.stdout.write(
      `\n${colors.bold('The web is open')} on all of this, as of ${end.toISOString().slice(0, 10)}. This link signs you in, once:\n  ${colors.cyan(web.link)}\nCtrl-C ends it.\n`,
    )
    await aborted(context.interrupt)
  } finally {
    await web.close()
  }
}

/**
 * Arms are drawn with salts that every installation makes for itself; the demo's are fixed, so that it repeats, as is its name. Each
 * campaign has its own, as ever: were the same people held out of all, one's effect would show in the others.
 */
async function fixDraws(database: Database): Promise<void> {
  await execute(database, sql`UPDATE settings SET value = 'demo' WHERE name = 'workspace_salt'`)
  await execute(database, sql`UPDATE settings SET value = 'demodemo 0 0' WHERE name = 'installation'`)
  await execute(
    database,
    sql`UPDATE campaigns SET salt = CASE campaign WHEN ${MEASURED} THEN 'demo' ELSE 'demo ' || campaign END`,
  )
}

function total(cells: readonly { readonly contacts: number }[]): number {
  return cells.reduce((sum, cell) => sum + cell.contacts, 0)
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}

function daysIn(now: Date): number {
  return (now.getTime() - START.getTime()) / 86_400_000
}

function whereNext(
  folder: string,
  externalId: string,
  end: Date,
  colors: ReturnType<typeof pc.createColors>,
): string {
  const cwd = `--cwd ${shown(folder)}`
  const asOf = `--as-of ${end.toISOString()}`
  const lines = [
    [`npx winback report ${MEASURED} ${cwd} ${asOf}`, 'the report again; --json for the figures'],
    [`npx winback explain ${externalId} ${cwd} ${asOf}`, 'one person’s whole story'],
    [`${shown(join(folder, 'campaigns', `${MEASURED}.yaml`))}`, 'the campaign that ran'],
    [`npx winback init shop`, 'a workspace of your own'],
  ] as const
  return ['Where to look next', ...lines.map(([what, why]) => `  ${colors.cyan(what)}\n      ${why}`)].join(
    '\n',
  )
}

function shown(path: string): string {
  return relative('.', path) || '.'
}
