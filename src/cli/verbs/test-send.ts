import type { Command } from 'commander'
import type { Delivery } from '../../channels/channel.ts'
import { parseAddress } from '../../channels/email/address.ts'
import { normalisePhone } from '../../contacts/addresses.ts'
import { findContact } from '../../contacts/external-ids.ts'
import { messageOf, WinbackError } from '../../errors.ts'
import { speechOf } from '../../reports/words.ts'
import type { WorkerDependencies } from '../../touchpoints/batch.ts'
import type { Outgoing } from '../../touchpoints/message.ts'
import { previewStep } from '../../touchpoints/preview.ts'
import type { Outcome } from '../output.ts'
import { outcomeOf, outcomeText } from '../step-outcome.ts'
import { describe, type Start } from '../verb.ts'
import { type DatabaseContext, startInWorkspace } from '../workspace.ts'
import { wordsOf } from './plan/plan.ts'
import { anyContact, withStep } from './preview/opened-step.ts'

/** An address of the tester's own. */
interface Recipient {
  readonly kind: 'email' | 'phone'
  readonly address: string
}

interface TestOptions {
  readonly to: Recipient
  readonly contact?: string
  readonly locale?: string
  readonly variant?: string
}

export function testSend(start: Start): Command {
  return describe('test-send', {
    group: 'campaigns',
    summary: 'Send one step to an address of your own, with a contact’s data',
    description:
      'Really sends, to --to alone, through the first of the step’s channels that delivers to such an address. Guards ' +
      'are not asked, nothing is recorded and nothing is counted. Without --contact, the newest contact that has an ' +
      'address lends its data.',
    examples: [
      ['winback test-send graded-recall coupon --to me@example.com', 'see it in your own mailbox'],
      ['winback test-send graded-recall nudge --to +8613800138000', 'a text message'],
      [
        'winback test-send graded-recall letter --to me@example.com --contact u-1042 --locale zh-CN',
        'as that contact would',
      ],
    ],
  })
    .argument('<campaign>', 'a name or file')
    .argument('<step>', 'the id of a step')
    .requiredOption('--to <address>', 'where to send it: an e-mail address or a phone number', recipientOf)
    .option('--contact <id>', 'external id of the contact whose data are used')
    .option('--locale <locale>', 'in this language instead of the contact’s own')
    .option('--variant <name>', 'this variant of the step instead of the contact’s own')
    .action((campaign: string, step: string, options: TestOptions, command: Command) =>
      startInWorkspace(start, command, (context) => runTestSend(context, campaign, step, options)),
    )
}

/** @throws WinbackError `usage.address`: the address is the tester's own, and no contact is to blame for it */
function recipientOf(text: string): Recipient {
  const address = text.trim()
  if (parseAddress(address) !== undefined) return { kind: 'email', address }
  const phone = normalisePhone(address)
  if (phone !== undefined) return { kind: 'phone', address: phone }
  throw new WinbackError('usage.address', `--to wants an e-mail address or a phone number, found "${text}"`, {
    remedy: 'Write it as --to me@example.com or --to +8613800138000.',
  })
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
      const { to, locale, variant } = options
      const channels = channelsTo(to.kind, opened.step.channels, runtime.worker)
      const contactId = await (options.contact === undefined
        ? anyContact(context.database)
        : findContact(context.database, options.contact))
      // The step without its guards: the condition is met, and the one address is the tester's.
      const unguarded = { ...opened.step, condition: undefined, channels }
      const shown = await previewStep(runtime.worker, opened.campaign, unguarded, contactId, {
        locale,
        variant,
        anyTime: true,
        to,
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
      const { channel } = composed
      const delivery = await send(composed)
      if (delivery.outcome !== 'sent') {
        throw new WinbackError('channel.unavailable', `${channel.name}: ${delivery.detail}`, {
          remedy: 'Run `winback doctor` to see what the provider says.',
        })
      }
      if (delivery.keep) {
        throw new WinbackError(
          'test.impossible',
          `${channel.name} hands it to nobody: people make its calls`,
          {
            remedy: `Run \`winback preview ${campaign} ${step} --contact ID\` to read the script.`,
          },
        )
      }
      const subject = wordsOf(composed.content).subject
      return {
        data: { to: to.address, channel: channel.name, subject, ...delivery },
        text: `Sent ${speechOf({ locale: 'en' }).way(channel.name)} to ${to.address}${subject ? `: ${subject}` : ''}${delivery.detail ? ` (${delivery.detail})` : ''}`,
      }
    },
  )
}

/**
 * The channels of a step that deliver to such an address. All others would go to the contact who lends its data.
 * @throws WinbackError `usage.address` where there is none, `test.impossible` where none is set up
 */
function channelsTo(
  kind: Recipient['kind'],
  channels: readonly string[],
  { addressKinds: kinds, channels: open }: Pick<WorkerDependencies, 'addressKinds' | 'channels'>,
): string[] {
  const fitting = channels.filter((name) => kinds.get(name) === kind)
  const usable = fitting.filter((name) => open.has(name))
  if (usable.length > 0) return usable
  if (fitting.length > 0) {
    throw new WinbackError('test.impossible', `${fitting.join(' and ')} cannot send: not set up yet`, {
      remedy: `Add channels.${fitting[0]} to winback.yaml.`,
    })
  }
  const address = kind === 'email' ? 'an e-mail address' : 'a phone number'
  const other = channels.some((name) => kinds.get(name) === (kind === 'email' ? 'phone' : 'email'))
  throw new WinbackError(
    'usage.address',
    `the step goes by ${channels.join(', ')}, which does not deliver to ${address}`,
    {
      remedy: other
        ? `Name ${kind === 'email' ? 'a phone number' : 'an e-mail address'} with --to.`
        : 'Such a message goes to the contact alone; `winback preview` shows it.',
    },
  )
}

async function send({ channel, address, content }: Outgoing): Promise<Delivery> {
  const key = `test-${Date.now().toString(36)}`
  try {
    return await channel.send({ contactId: 0, touchpointId: 0, address, content, key })
  } catch (error) {
    return { outcome: 'uncertain', detail: messageOf(error) }
  }
}
