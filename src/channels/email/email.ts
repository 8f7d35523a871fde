import { createPrivateKey, type KeyObject } from 'node:crypto'
import { messageOf, WinbackError } from '../../errors.ts'
import type { Channel, ChannelContext, ChannelModule } from '../channel.ts'
import { parsePrice } from '../price.ts'
import { plainText } from '../templates/text.ts'
import { LONGEST_MAILBOX, parseAddress, parseMailbox, parseSender, type Sender } from './address.ts'
import { classify } from './handover.ts'
import { composeMail, type EmailContent, headerText, type Letterhead } from './message.ts'
import { readSendgrid, sendgridHeader } from './sendgrid.ts'
import { sendgridKey } from './sendgrid-key.ts'
import { createSesReader } from './ses.ts'
import { type EmailSettings, emailSettings } from './settings.ts'
import { defaultTiming, openTransport, type Timing } from './transport.ts'

/** E-mail over SMTP. Not idempotent: no SMTP server recognises a message it was given before. */
export const email: ChannelModule<EmailSettings> = {
  name: 'email',
  idempotent: false,
  address: 'email',
  renders: true,
  settings: emailSettings,
  lint: (_settings, { front }) =>
    front.subject === undefined ? ['has no subject, which an e-mail needs'] : [],
  open: (settings, context) => openEmail(settings, defaultTiming, context),
}

/**
 * Messages given out for each connection: one on the wire, the others waiting for it. A slice is marked and settled in
 * one statement each; at one message a connection that is a commit for every two or three messages, and the
 * connections stand idle meanwhile.
 */
const AHEAD = 8

function senderFrom(text: string, setting: string): Sender {
  const sender = parseSender(text)
  if (sender) return sender
  throw new WinbackError('channels.email.settings', `channels.email.${setting}: \`${text}\` is no sender`, {
    remedy: 'Write one address, with or without a name: Shop <hello@shop.example>',
  })
}

/** Reads the webhooks of the providers that are set up; undefined where there are none. */
function receiptsReader(settings: EmailSettings, context: ChannelContext): Channel['receipts'] {
  const { sns, sendgrid } = settings.receipts
  if (!sns && !sendgrid) return undefined
  const ses = sns && createSesReader(sns.topics, context.fetchText)
  const key = sendgrid && sendgridKeyFrom(sendgrid.public_key)
  return (webhook) => {
    if (webhook.provider === 'ses' && ses) return ses.read(webhook)
    if (webhook.provider === 'sendgrid' && key) return readSendgrid(webhook, key)
    const known = [...(ses ? ['ses'] : []), ...(key ? ['sendgrid'] : [])].join(' and ')
    return {
      outcome: 'refused',
      status: 404,
      reason: `e-mail takes receipts of ${known}, by that last part of the path`,
    }
  }
}

function sendgridKeyFrom(text: string): KeyObject {
  try {
    return sendgridKey(text)
  } catch (cause) {
    throw new WinbackError(
      'channels.email.settings',
      'channels.email.receipts.sendgrid.public_key cannot be read as a key',
      { remedy: 'Copy the verification key from SendGrid’s page of the signed event webhook.', cause },
    )
  }
}

function mailboxFrom(text: string | undefined, setting: string): string | undefined {
  if (text === undefined) return undefined
  const address = parseMailbox(text)
  if (address !== undefined) return address
  throw new WinbackError(
    'channels.email.settings',
    `channels.email.${setting}: \`${text}\` cannot be a mailbox of ours`,
    {
      remedy: `Write an address of at most ${LONGEST_MAILBOX} characters before the @: bounce@shop.example`,
    },
  )
}

/**
 * Opens the channel; connections are made when they are needed.
 * @throws WinbackError `channels.email.settings` for a sender or a DKIM key that cannot be used
 */
export function openEmail(
  settings: EmailSettings,
  timing: Timing = defaultTiming,
  context: ChannelContext = {},
): Channel<string, EmailContent> {
  const sender = senderFrom(settings.from, 'from')
  const replyTo = settings.reply_to === undefined ? undefined : senderFrom(settings.reply_to, 'reply_to')
  if (settings.dkim) {
    try {
      createPrivateKey(settings.dkim.private_key)
    } catch (cause) {
      throw new WinbackError(
        'channels.email.settings',
        `channels.email.dkim.private_key cannot be read: ${messageOf(cause)}`,
        { remedy: 'Refer to a PEM file of an RSA or Ed25519 private key.', cause },
      )
    }
  }
  const price = parsePrice(settings.price)
  const head: Letterhead = {
    sender,
    replyTo,
    links: context.links,
    tracking: settings.tracking,
    mailboxes: {
      bounce: mailboxFrom(settings.bounces, 'bounces'),
      unsubscribe: mailboxFrom(settings.unsubscribe, 'unsubscribe'),
    },
    ...(settings.receipts.sendgrid ? { providerHeaders: sendgridHeader } : {}),
  }
  const reader = receiptsReader(settings, context)
  const transport = openTransport(settings, timing)

  return {
    name: email.name,
    idempotent: email.idempotent,
    concurrency: settings.smtp.window ?? settings.smtp.connections * AHEAD,
    deadline: timing.deadline,
    addressOf: (contact) => (contact.email === null ? undefined : parseAddress(contact.email)),
    render: (template, view) => {
      if (!template) throw new Error('an e-mail needs a template')
      const { front, html, text, images } = template.render(view)
      const subject = headerText(front.subject ?? '')
      if (subject === '') throw new Error(`the template \`${template.name}\` came out without a subject`)
      return {
        subject,
        fromName: front.from_name,
        html,
        text: text ?? plainText(html),
        ...(images ? { images } : {}),
      }
    },
    cost: () => price,
    ...(reader ? { receipts: reader } : {}),
    send: async (message) => {
      const mail = await composeMail(message, head).catch(messageOf)
      // A picture was not drawn, which is this machine's doing (no memory, no thread), and not the message's.
      if (typeof mail === 'string') return { outcome: 'retry', detail: mail, unsent: true }
      return classify(await transport.send(mail))
    },
    check: async () => `${await transport.check()}, from ${sender.address}`,
    leave: () => transport.leave(),
    close: () => transport.close(),
  }
}
