import { answer, type Serve } from './loopback.ts'

export interface TwilioAccount {
  readonly sid: string
  readonly token: string
}

/** A text message that was taken. */
export interface TakenText {
  /** Twilio's own name of it. */
  readonly sid: string
  readonly to: string
  /** Where it wants to be told of what becomes of it. */
  readonly callback: string | undefined
}

/**
 * Twilio's Messages resource: the account by Basic authentication, a number to send to, a sender and a body.
 * @param options.isNobodys numbers that Twilio would say do not exist
 * @param options.onTaken hears of each text that was taken
 */
export function serveTwilio(
  account: TwilioAccount,
  options: { isNobodys?: (to: string) => boolean; onTaken?: (text: TakenText) => void } = {},
): Serve {
  const basic = `Basic ${Buffer.from(`${account.sid}:${account.token}`).toString('base64')}`
  let taken = 0
  return (asked) => {
    if (asked.headers.authorization !== basic) return answer({ code: 20003, message: 'Authenticate' }, 401)
    if (asked.method === 'GET') return answer({ sid: account.sid })
    const form = new URLSearchParams(asked.body.toString())
    const to = form.get('To') ?? ''
    if (!/^\+\d{6,15}$/.test(to) || options.isNobodys?.(to)) {
      return answer({ code: 21211, message: `The 'To' number ${to} is not a valid phone number.` }, 400)
    }
    if (!form.get('From') && !form.get('MessagingServiceSid')) {
      return answer({ code: 21603, message: "A 'From' phone number is required." }, 400)
    }
    if (!form.get('Body')) return answer({ code: 21602, message: 'Message body is required.' }, 400)
    taken += 1
    const sid = `SM${taken}`
    options.onTaken?.({ sid, to, callback: form.get('StatusCallback') ?? undefined })
    return answer({ sid, num_segments: '1' }, 201)
  }
}
