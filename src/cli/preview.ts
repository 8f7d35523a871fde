import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { sql } from 'drizzle-orm'
import { parseAddress } from '../channels/email/address.ts'
import { compileCampaign } from '../config/compile.ts'
import type { CompiledCampaign, CompiledStep } from '../config/compiled.ts'
import { templatesHash } from '../config/inputs.ts'
import { MASKED, type Mask, UNMASKED } from '../config/masking.ts'
import { nearest } from '../config/problems.ts'
import { rows } from '../database/connect.ts'
import { WinbackError } from '../errors.ts'
import { wrap } from '../reports/layout.ts'
import { type Speech, speechOf } from '../reports/words.ts'
import { openRuntime, type Runtime } from '../service/runtime.ts'
import { findContact, previewStep } from '../touchpoints/preview.ts'
import type { Outgoing } from '../touchpoints/sends.ts'
import { openCampaigns, openTemplates, type Templates } from './campaigns.ts'
import { chooseLocale } from './locale.ts'
import type { Outcome } from './output.ts'
import { currentVersion, wordsOf } from './plan/plan.ts'
import { getsIt, readStanding, standingText } from './preview/standing.ts'
import { outcomeOf, outcomeText, type StepOutcome, scarceText } from './step-outcome.ts'
import { describe, type Start } from './verb.ts'
import { type DatabaseContext, withWorkspace } from './workspace.ts'

interface PreviewOptions {
  readonly contact?: string
  readonly locale?: string
  readonly variant?: string
  readonly out?: string
  readonly unmasked?: boolean
}

export function preview(start: Start): Command {
  return describe('preview', {
    group: 'campaigns',
    summary: 'Show what one contact would get of a step, and whether they would get it',
    description: 'Reads the campaign and templates as they are on disk, applied or not. Sends nothing.',
    examples: [
      ['winback preview graded-recall coupon --contact u-1042', 'subject and text'],
      [
        'winback preview graded-recall letter --contact u-1042 --locale en --out letter.html',
        'the page, for a browser',
      ],
      [
        'winback preview graded-recall trial --contact u-1042 --variant story',
        'a step that compares variants',
      ],
    ],
  })
    .argument('<campaign>', 'a name or file')
    .argument('<step>', 'the id of a step')
    .requiredOption('--contact <id>', 'external id of a contact')
    .option('--locale <locale>', 'in this language instead of the contact’s own')
    .option('--variant <name>', 'this variant of the step instead of the contact’s own')
    .option('--out <file>', 'write the HTML here')
    .option('--unmasked', 'names, addresses and numbers as they are')
    .action((campaign: string, step: string, options: PreviewOptions, command: Command) =>
      start(command, (invocation) =>
        withWorkspace(invocation, (context) => runPreview(context, campaign, step, options)),
      ),
    )
}

interface TestOptions {
  readonly to: string
  readonly contact?: string
  readonly locale?: string
  readonly variant?: string
}

export function testSend(start: Start): Command {
  return describe('test-send', {
    group: 'campaigns',
    summary: 'Send one step to an address of your own, with a contact’s data',
    description:
      'Really sends, to --to alone, through the workspace’s channel. Guards are not asked, nothing is recorded and ' +
      'nothing is counted. Without --contact, the newest contact that has an address lends its data.',
    examples: [
      ['winback test-send graded-recall coupon --to me@example.com', 'see it in your own mailbox'],
      [
        'winback test-send graded-recall letter --to me@example.com --contact u-1042 --locale zh-CN',
        'as that contact would',
      ],
    ],
  })
    .argument('<campaign>', 'a name or file')
    .argument('<step>', 'the id of a step')
    .requiredOption('--to <address>', 'where to send it', mailAddress)
    .option('--contact <id>', 'external id of the contact whose data are used')
    .option('--locale <locale>', 'in this language instead of the contact’s own')
    .option('--variant <name>', 'this variant of the step instead of the contact’s own')
    .action((campaign: string, step: string, options: TestOptions, command: Command) =>
      start(command, (invocation) =>
        withWorkspace(invocation, (context) => runTestSend(context, campaign, step, options)),
      ),
    )
}

/** @throws WinbackError `usage.address`: the address is the tester's own, and no contact is to blame for it */
function mailAddress(text: string): string {
  const address = text.trim()
  if (parseAddress(address) !== undefined) return address
  throw new WinbackError('usage.address', `--to wants an e-mail address, found "${text}"`, {
    remedy: 'Write it as --to me@example.com.',
  })
}

interface Opened {
  readonly runtime: Runtime
  readonly campaign: CompiledCampaign
  readonly step: CompiledStep
}

/** Opens a step as it is on disk, with the templates on disk. */
async function withStep<T>(
  context: DatabaseContext,
  wanted: { campaign: string; step: string; variant?: string | undefined },
  work: (opened: Opened) => Promise<T>,
): Promise<T> {
  const templates = await openTemplates(context)
  const [loaded] = await openCampaigns(context, templates, [wanted.campaign])
  if (!loaded) throw new WinbackError('usage.campaign', `no campaign is named "${wanted.campaign}"`)
  const { definition } = loaded
  const ids = [...definition.tiers.flatMap((tier) => tier.steps), ...definition.on_return].map(({ id }) => id)
  const workspace = context.loaded.definition
  const current = await currentVersion(context, definition.campaign)
  const campaign = compileCampaign({
    definition,
    version: 0,
    // The rollout is drawn with it.
    salt: current?.salt ?? '',
    stepIds: new Map(ids.map((id, index) => [id, -1 - index])),
    workspace,
    templates: templates.set,
    templateSet: templatesHash(templates.files),
  })
  const step = [...campaign.tiers.flatMap((tier) => tier.steps), ...campaign.onReturn].find(
    ({ id }) => id === wanted.step,
  )
  if (!step) {
    const near = nearest(wanted.step, ids)
    throw new WinbackError('usage.step', `${definition.campaign} has no step "${wanted.step}"`, {
      remedy: near ? `Did you mean ${near}?` : `There are ${ids.join(', ')}.`,
    })
  }
  checkVariant(step, wanted.variant)
  const runtime = await openRuntime({ database: context.database, workspace, clock: context.clock })
  try {
    return await work({ runtime: fromDisk(runtime, templates), campaign, step })
  } finally {
    await runtime.close()
  }
}

/** @throws WinbackError `usage.variant` for a variant the step does not have */
function checkVariant({ id, variants = [] }: CompiledStep, wanted: string | undefined): void {
  const names = variants.map(({ name }) => name)
  if (wanted === undefined || names.includes(wanted)) return
  const near = nearest(wanted, names)
  const list = names.length === 0 ? 'It compares none.' : `There are ${names.join(', ')}.`
  throw new WinbackError('usage.variant', `step ${id} has no variant "${wanted}"`, {
    remedy: near ? `Did you mean ${near}?` : list,
  })
}

function fromDisk(runtime: Runtime, templates: Templates): Runtime {
  return { ...runtime, worker: { ...runtime.worker, templates: async () => templates.set } }
}

async function runPreview(
  context: DatabaseContext,
  campaign: string,
  step: string,
  options: PreviewOptions,
): Promise<Outcome> {
  return await withStep(context, { campaign, step, variant: options.variant }, async (opened) => {
    const contactId = await findContact(context.database, options.contact ?? '')
    const now = context.clock.now()
    const standing = await readStanding(context.database, opened.campaign, opened.step, contactId, now)
    const { locale, variant } = options
    const mask = options.unmasked ? UNMASKED : MASKED
    const shown = await previewStep(opened.runtime.worker, opened.campaign, opened.step, contactId, {
      locale,
      variant,
      anyTime: true,
      limits: true,
      mask,
    })
    const words = shown.composed && !('state' in shown.composed) ? wordsOf(shown.composed.content) : undefined
    const out = options.out === undefined ? undefined : resolve(context.cwd, options.out)
    if (out !== undefined && words?.html) await writeFile(out, words.html)
    const speech = speechHere(context)
    const outcome = outcomeOf(shown.verdict, shown.composed)
    const { bold, dim } = context.output.colors
    const { contact, segment, verdict } = shown
    const en = speech.language === 'en'
    const named = shown.variant === null ? '' : en ? `, variant ${shown.variant}` : `，方案 ${shown.variant}`
    const about = en
      ? `for ${contact.externalId}, ${contact.locale}, segment ${segment}${named}`
      : `${contact.externalId}，${contact.locale}，分群 ${segment}${named}`
    return {
      data: {
        contact: maskContact(contact, mask),
        segment,
        variant: shown.variant,
        standing,
        verdict,
        scarce: shown.scarce ?? null,
        ...words,
        ...(out ? { out } : {}),
      },
      text: [
        `${bold(`${opened.campaign.name} · ${opened.step.tier} · ${opened.step.id}`)} ${dim(about)}`,
        ...wrap(standingText(standing, opened.step, speech), context.output.width),
        ...wrap(stepText(outcome, getsIt(standing), speech), context.output.width),
        ...(shown.scarce ? wrap(scarceText(shown.scarce, speech), context.output.width) : []),
        ...(words?.subject ? ['', bold(words.subject)] : []),
        ...(words?.text ? [words.text] : []),
        ...(out && words?.html ? ['', dim(en ? `The page is in ${out}.` : `网页已写入 ${out}。`)] : []),
      ].join('\n'),
    }
  })
}

/** What a step would be for a contact (or for any, where none is named), from the files as they lie on disk; masked unless `unmasked`. */
export async function previewOf(
  context: DatabaseContext,
  wanted: { campaign: string; step: string; variant?: string | undefined },
  options: {
    readonly contact: string | undefined
    readonly locale: string | undefined
    readonly language: string
    readonly unmasked: boolean
  },
) {
  return await withStep(context, wanted, async ({ runtime, campaign, step }) => {
    const contactId = await (options.contact === undefined
      ? anyContact(context)
      : findContact(context.database, options.contact))
    const shown = await previewStep(runtime.worker, campaign, step, contactId, {
      locale: options.locale,
      variant: wanted.variant,
      anyTime: true,
      limits: true,
      mask: options.unmasked ? UNMASKED : MASKED,
    })
    const { currency, timezone } = context.loaded.definition
    const speech = speechOf({ locale: options.language, currency, timezone })
    const standing = await readStanding(context.database, campaign, step, contactId, context.clock.now())
    const words = shown.composed && !('state' in shown.composed) ? wordsOf(shown.composed.content) : undefined
    return {
      contact: shown.contact.externalId,
      segment: shown.segment,
      variant: shown.variant,
      outcome:
        `${standingText(standing, step, speech)} ${stepText(outcomeOf(shown.verdict, shown.composed), getsIt(standing), speech)} ${scarceText(shown.scarce, speech)}`.trim(),
      subject: words?.subject ?? null,
      text: words?.text ?? null,
      html: words?.html ?? null,
    }
  })
}

function maskContact<Contact extends { email: string | null; phone: string | null }>(
  contact: Contact,
  mask: Mask,
) {
  const email = contact.email === null ? null : mask.email(contact.email)
  const phone = contact.phone === null ? null : mask.phone(contact.phone)
  return { ...contact, email, phone }
}

/** What the step says: as a fact where the contact gets it, else as what it would be. */
function stepText(outcome: StepOutcome, gets: boolean, speech: Speech): string {
  const text = outcomeText(outcome, speech)
  if (speech.language !== 'en') return gets ? `该步骤${text}。` : `若轮到该步骤，${text}。`
  return gets ? `This step ${text}.` : `Were it due, this step ${text}.`
}

/** How sentences are written at this terminal; `--locale` is the message's, not theirs. */
function speechHere(context: DatabaseContext): Speech {
  const { currency, timezone } = context.loaded.definition
  return speechOf({ locale: chooseLocale(undefined), currency, timezone })
}

async function runTestSend(
  context: DatabaseContext,
  campaign: string,
  step: string,
  options: TestOptions,
): Promise<Outcome> {
  return await withStep(
    context,
    { campaign, step, variant: options.variant },
    async ({ runtime, ...opened }) => {
      const contactId = await (options.contact === undefined
        ? anyContact(context)
        : findContact(context.database, options.contact))
      const { locale, variant } = options
      // The step without its guards: the condition is met, and the one address is the tester's.
      const unguarded = { ...opened.step, condition: undefined }
      const shown = await previewStep(runtime.worker, opened.campaign, unguarded, contactId, {
        locale,
        variant,
        anyTime: true,
        email: options.to,
      })
      const { composed } = shown
      if (!composed || 'state' in composed) {
        throw new WinbackError(
          'test.impossible',
          `it cannot be made for this contact: it ${outcomeText(outcomeOf(shown.verdict, composed), speechOf({ locale: 'en' }))}`,
          {
            remedy: 'Name another contact with --contact.',
          },
        )
      }
      const delivery = await send(composed)
      if (delivery.outcome !== 'sent') {
        throw new WinbackError('channel.unavailable', `${composed.channel.name}: ${delivery.detail}`, {
          remedy: 'Run `winback doctor` to see what the mail server says.',
        })
      }
      const subject = wordsOf(composed.content).subject
      return {
        data: { to: options.to, channel: composed.channel.name, subject, ...delivery },
        text: `Sent by ${composed.channel.name} to ${options.to}${subject ? `: ${subject}` : ''}${delivery.detail ? ` (${delivery.detail})` : ''}`,
      }
    },
  )
}

function send(outgoing: Outgoing) {
  const { channel, address, content } = outgoing
  return channel.send({
    contactId: 0,
    touchpointId: 0,
    address,
    content,
    key: `test-${Date.now().toString(36)}`,
  })
}

async function anyContact(context: DatabaseContext): Promise<number> {
  const [row] = await rows<{ contactId: number }>(
    context.database,
    sql`SELECT contact_id AS "contactId" FROM contacts WHERE erased_at IS NULL
      ORDER BY (email IS NOT NULL) DESC, contact_id DESC LIMIT 1`,
  )
  if (row) return row.contactId
  throw new WinbackError('contact.none', 'there are no contacts yet', {
    remedy: 'Run `winback import contacts FILE` first.',
  })
}
