import type { Delivery } from '../channel.ts'

// When did a mail become the server's? A reply code decides. Without one, handover began if and only if the
// message's body was read: nodemailer's error is the same in every phase, so the transport watches the body.

/** What nodemailer says of a failure. */
export interface SmtpFailure {
  readonly message: string
  /** EAUTH, ECONNECTION, EENVELOPE, … */
  readonly code?: string | undefined
  /** The command under way: CONN, EHLO, STARTTLS, AUTH PLAIN, MAIL FROM, RCPT TO, DATA, API. */
  readonly command?: string | undefined
  readonly responseCode?: number | undefined
  readonly response?: string | undefined
}

export type SmtpAttempt =
  | { readonly taken: true; readonly response: string; readonly messageId: string }
  | {
      readonly taken: false
      readonly failure: SmtpFailure
      readonly bodyRead: boolean
      /** No connection came about on which it could have been offered: the server was not reached, or let nobody in. */
      readonly unreached?: boolean
      /** None came about because we closed the channel. */
      readonly closed?: boolean
    }

/** The session's state or our credentials, never this message: RFC 4954 and 5321. */
const ABOUT_THE_SESSION = new Set([503, 530, 534, 535, 538])
const SESSION_COMMAND = /^(CONN|EHLO|HELO|LHLO|STARTTLS|AUTH)\b/
const NO_SUCH_MAILBOX = new Set([550, 551, 553])

/** What a server says of a mailbox that is not there, where it gives no enhanced code. */
const NOBODY =
  /\b(no such (user|mailbox|recipient|person|account)|unrouteable address|unavailable mail user|deactivated mailbox|(user|mailbox|recipient|address|account)( is| was)? (unknown|not found|disabled|invalid|does ?n[o']t exist|not exist)|(unknown|invalid|non-?existent) (user|mailbox|recipient|account|local[ -]part)|not (a )?(known|valid) (user|mailbox|recipient)|does ?(no|not|n't) (exists?|have an account)|no mailbox here)/i

/** What it says where it turns away whoever asks, or how often, whatever the recipient: without an enhanced code, or with 5.1.0. */
const NOT_THE_MAILBOX =
  /relay|rcpthosts|block(ed|ing|list)|black-?list|spam|denied|policy|reputation|frequen|limit|too many|quota|\bfull\b|authenti|\b(sender|SPF|DKIM|DMARC|PTR|RBL)\b/i

/**
 * Of the address a mail comes from, which a server looks up or asks for. It says so where it is given a recipient, and why in
 * words as of one. Exim: `550-Verification failed for <…>`, `550-No Such User Here`, `550 Sender verify failed`.
 */
const OF_THE_SENDER = /\bsender('s)? (verif|address|domain)|verification failed (for|while checking) </i

/**
 * Nobody there, in the words of those who say so under another code: Microsoft 365 (5.4.1, of its directory), Outlook.com
 * (5.5.0), Yahoo (554 and none).
 * https://learn.microsoft.com/exchange/mail-flow-best-practices/use-directory-based-edge-blocking
 */
const NOBODY_BY_NAME =
  /^55[04][ -](5\.4\.1 .*recipient address rejected: access denied|5\.5\.0 requested action not taken: mailbox unavailable|delivery error: dd this user doesn.t have an? |30 .*this mailbox is disabled)/i

/**
 * Details of 5.1.x that are about the recipient's address (RFC 3463, 7505). Others are about the sender's (7, 8), or a server's own:
 * Microsoft 365 says 5.1.90 to everybody once our account has reached its recipients of the day.
 * https://learn.microsoft.com/exchange/mail-flow-best-practices/non-delivery-reports-in-exchange-online/non-delivery-reports-in-exchange-online
 */
const OF_THE_RECIPIENT = new Set([1, 2, 3, 4, 5, 6, 10])

/** Exchange's filter and Gmail's limit for one mailbox, by 5.2.1: there is somebody. */
const NOT_DISABLED = /quarantined this message|receiving mail (at a rate|too quickly)/i

/** Subject and detail of an enhanced status code: [1, 1] of 5.1.1 (RFC 3463). */
export type Status = readonly [subject: number, detail: number]

/**
 * `5.1.1` out of a reply, `#5.1.1` as Cisco writes it, or `(#5.1.1)` behind its words, as qmail has it; undefined also of `5.0.0`,
 * which says nothing.
 */
export function enhancedStatus(response: string): Status | undefined {
  const match =
    /^\d{3}[ -]#?[245]\.(\d{1,3})\.(\d{1,3})\b/.exec(response) ??
    /\(#[245]\.(\d{1,3})\.(\d{1,3})\b/.exec(response)
  return match ? knownStatus(match[1], match[2]) : undefined
}

export function knownStatus(subject = '0', detail = '0'): Status | undefined {
  const status = [Number(subject), Number(detail)] as const
  return status[0] === 0 && status[1] === 0 ? undefined : status
}

/**
 * Whether a permanent refusal is about the address of the recipient: there is nobody there, and will not be. 5.1.x is
 * ({@link OF_THE_RECIPIENT}), and 5.1.0 where it speaks of nothing else; so is 5.2.1, a disabled mailbox. All else (a blocklist, a policy, the size, a loop, a full
 * mailbox) says nothing of the address. One for what a server answers and for what it reports later.
 * @param asked true where the reply is to the recipient's address, so that it need not say what it is about
 */
export function isBadRecipient(said: {
  readonly status: Status | undefined
  readonly code: number | undefined
  readonly text: string
  readonly asked: boolean
}): boolean {
  const { status, code, text, asked } = said
  if (OF_THE_SENDER.test(text)) return false
  if (NOBODY_BY_NAME.test(text)) return true
  if (status) {
    const [subject, detail] = status
    // 5.1.0 is of an address, and some mean the sender's by it, or ours: Exchange, Cox, Comcast.
    if (subject === 1) return detail === 0 ? !NOT_THE_MAILBOX.test(text) : OF_THE_RECIPIENT.has(detail)
    return subject === 2 && detail === 1 && !NOT_DISABLED.test(text)
  }
  if (code === undefined || !NO_SUCH_MAILBOX.has(code)) return false
  return NOBODY.test(text) || (asked && !NOT_THE_MAILBOX.test(text))
}

/** What servers say of who sends, or of what is sent, where no code tells: and of greylisting, which a server of ours gave in to. */
const ABOUT_US =
  /relay|rcpthosts|block(ed|ing|list)|black-?list|gr[ae]y-?list|spam|virus|content|policy|reputation|frequen|too many|authenti|\b(sender|SPF|DKIM|DMARC|PTR|RBL)\b/i

/**
 * Whether what was sent back for a passing reason says that this is ours, and so nothing of the mailbox (RFC 3463): protocol (x.5),
 * content (x.6), security and policy (x.7), the sender (what of x.1 is not the recipient's), too large (x.2.3, x.3.4). A full
 * mailbox, a host that gives no answer and a domain that is not found are of where it went.
 */
export function isOurFault({
  status,
  text,
}: {
  readonly status: Status | undefined
  readonly text: string
}): boolean {
  if (OF_THE_SENDER.test(text)) return true
  const [subject, detail] = status ?? [0, 0]
  if (detail === 0 || (subject === 2 && detail === 1)) {
    if (ABOUT_US.test(text)) return true
  }
  if (subject === 1) return detail !== 0 && !OF_THE_RECIPIENT.has(detail)
  return (subject >= 5 && subject <= 7) || (subject === 2 && detail === 3) || (subject === 3 && detail === 4)
}

/** {@link isOurFault} of the words a provider hands on: `smtp; 550 5.7.1 blocked`. */
export function saysOurFault(words: string): boolean {
  const text = words.replace(/^[a-z0-9]{1,20};[ \t]*/i, '')
  return isOurFault({ status: enhancedStatus(text), text })
}

/** Seconds, where a reply names them (greylisting does): "try again in 300 seconds", "in 5 minutes". */
function waitIn(response: string): number | undefined {
  const match = /\bin (\d{1,5}) ?(s|sec|seconds?|m|min|minutes?)\b/i.exec(response)
  if (!match) return undefined
  const seconds = Number(match[1]) * (/^m/i.test(match[2] ?? '') ? 60 : 1)
  return seconds > 0 && seconds <= 86_400 ? seconds : undefined
}

/** Too large, or of letters the server has no room for: what it says of MAIL, and about this message. */
const TOO_MUCH = new Set([552, 555])
const RELAYING = /relay|rcpthosts/i
/**
 * Amazon, SendGrid and Microsoft of an account or a sender that is not (any more) in order: they say so once they have read a
 * message.
 */
const NOT_IN_ORDER =
  /email address is not verified|verified sender identity|not authorized to (send from|perform)|permissions? to send as|SendAsDenied|(sending|account) (is )?(paused|suspended)/i
/** Gmail and Microsoft of our own number for the day, at whichever command it is used up: by a code that says for good. */
const USED_UP =
  /daily (user |smtp )?(relay )?(sending )?(limit|quota) exceeded|reached your daily limit|submission ?quota ?(was ?)?exceeded/i

/**
 * Whether a server refuses for good who sends, not what or to whom: it has heard no more of a message than its sender, which all
 * have, or it passes nothing on for us, or says that our account is not in order or has sent all it may. That passes or can be
 * mended, and until then it would refuse everybody's message.
 */
function refusesUs({ command = '', response = '' }: SmtpFailure, code: number, bodyRead: boolean): boolean {
  if (USED_UP.test(response)) return true
  if (bodyRead) return NOT_IN_ORDER.test(response)
  const [subject, detail] = enhancedStatus(response) ?? []
  const size = TOO_MUCH.has(code) || (subject === 2 && detail === 3) || (subject === 3 && detail === 4)
  if (/^MAIL\b/.test(command)) return !size && subject !== 6
  return /^RCPT\b/.test(command) && RELAYING.test(response)
}

/** Used up, out of room, throttled: of a server that gives no enhanced code. */
const NO_ROOM = new Set([421, 452, 454])

/**
 * Whether a server that puts a message off would put off any: it has heard of no recipient yet, it ends the session, or it says
 * that its own system is the reason (4.3.x).
 */
function takesNone({ command, response }: SmtpFailure, code: number): boolean {
  if (code >= 500) return false
  const status = enhancedStatus(response ?? '')
  return code === 421 || /^MAIL\b/.test(command ?? '') || (status ? status[0] === 3 : NO_ROOM.has(code))
}

function rejection(
  failure: SmtpFailure,
  code: number,
  bodyRead: boolean,
): 'bad_address' | 'refused' | 'content' {
  const text = failure.response ?? ''
  const status = enhancedStatus(text)
  const asked = !bodyRead && failure.command === 'RCPT TO'
  if ((bodyRead || asked) && isBadRecipient({ status, code, text, asked })) return 'bad_address'
  // 5.2.2: the mailbox is full, which the text has no part in.
  return bodyRead && !(status && status[0] === 2 && status[1] !== 3) ? 'content' : 'refused'
}

/** What an attempt came to. Total: any failure has an outcome. */
export function classify(attempt: SmtpAttempt): Delivery {
  if (attempt.taken) {
    return { outcome: 'sent', providerId: attempt.messageId, detail: attempt.response }
  }
  const { failure, bodyRead } = attempt
  const detail = failure.response ?? failure.message
  const code = failure.responseCode
  // Whatever it said to us, it said nothing of a message it has not heard of.
  if (attempt.unreached) return { outcome: 'retry', detail, unsent: true, unreached: true }
  if (attempt.closed) return { outcome: 'retry', detail, unsent: true }

  if (code !== undefined && code >= 400 && code < 600) {
    const refused = code >= 500 && refusesUs(failure, code, bodyRead)
    const aboutUs = failure.code === 'EAUTH' || (!bodyRead && SESSION_COMMAND.test(failure.command ?? ''))
    if (code < 500 || aboutUs || refused || ABOUT_THE_SESSION.has(code)) {
      const after = waitIn(failure.response ?? '')
      const none = refused || takesNone(failure, code) ? { takesNone: true } : {}
      return { outcome: 'retry', detail, ...(after === undefined ? {} : { after }), ...none }
    }
    return { outcome: 'rejected', reason: rejection(failure, code, bodyRead), detail }
  }
  if (bodyRead) return { outcome: 'uncertain', detail }
  // A reply that refuses nothing and makes no sense where it stands: it says nothing of the message or the address.
  if (failure.response !== undefined) return { outcome: 'retry', detail }
  // Refused on this side for what the message is: another attempt would end the same.
  if (failure.code === 'EMESSAGE') return { outcome: 'rejected', reason: 'content', detail }
  if (failure.code === 'EENVELOPE') return { outcome: 'rejected', reason: 'bad_address', detail }
  return { outcome: 'retry', detail }
}
