import { resolve } from 'node:path'
import type { Command } from 'commander'
import { MASKED, type Mask, UNMASKED } from '../../config/masking.ts'
import { findContact } from '../../contacts/external-ids.ts'
import { wrap } from '../../reports/layout.ts'
import { type Speech, speechOf } from '../../reports/words.ts'
import { styleOfWorkspace } from '../../service/reporting.ts'
import { previewStep } from '../../touchpoints/preview.ts'
import { chooseLocale } from '../locale.ts'
import type { Outcome } from '../output.ts'
import { outcomeOf, outcomeText, type StepOutcome, scarceText } from '../step-outcome.ts'
import { describe, type Start } from '../verb.ts'
import { type DatabaseContext, startInWorkspace } from '../workspace.ts'
import { writeAsked } from '../written-file.ts'
import { pageOf, wordsOf } from './plan/plan.ts'
import { anyContact, withStep } from './preview/opened-step.ts'
import { getsIt, readStanding, standingText } from './preview/standing.ts'

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
      startInWorkspace(start, command, (context) => runPreview(context, campaign, step, options)),
    )
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
    const words =
      shown.composed && !('state' in shown.composed) ? await readable(shown.composed.content) : undefined
    const out = words?.html && options.out !== undefined ? resolve(context.cwd, options.out) : undefined
    if (out !== undefined && words?.html) await writeAsked(out, words.html)
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
        ...(options.out === undefined ? [] : ['', dim(pageText(out, options.out, en))]),
      ].join('\n'),
    }
  })
}

/** Where the page is, or that there is none to be written. */
function pageText(written: string | undefined, wanted: string, en: boolean): string {
  if (written !== undefined) return en ? `The page is in ${written}.` : `网页已写入 ${written}。`
  return en ? `There is no page to write into ${wanted}.` : `没有网页可写入 ${wanted}。`
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
      ? anyContact(context.database)
      : findContact(context.database, options.contact))
    const shown = await previewStep(runtime.worker, campaign, step, contactId, {
      locale: options.locale,
      variant: wanted.variant,
      anyTime: true,
      limits: true,
      mask: options.unmasked ? UNMASKED : MASKED,
    })
    const speech = speechOf({ ...styleOfWorkspace(context.loaded.definition), locale: options.language })
    const standing = await readStanding(context.database, campaign, step, contactId, context.clock.now())
    const words =
      shown.composed && !('state' in shown.composed) ? await readable(shown.composed.content) : undefined
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

async function readable(content: unknown) {
  return { ...wordsOf(content), html: await pageOf(content) }
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
  return speechOf({ ...styleOfWorkspace(context.loaded.definition), locale: chooseLocale(undefined) })
}
