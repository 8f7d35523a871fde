import { createHmac, timingSafeEqual } from 'node:crypto'
import type { SigningKey, SigningKeys } from './token.ts'

// Signed references that fit into the local part of a mail address: where bounces come back to, where somebody
// writes to be left alone. Mail servers may fold the case and allow 64 characters, so the alphabet is base 36 and the
// MAC is cut to 80 bits: enough against whoever may only guess by sending mails.
//
//   <key id>-<reference>-<mac>      e.g. 1-2n9c-5yc1s-0k3v9p2m4q7x8z1a

/** What an address of ours is for: a reference for one is worth nothing for the other. */
export type OwnMailbox = 'bounce' | 'unsubscribe'

const MAC_BYTES = 10
const MAC_LENGTH = 16
const SHAPE = /^([0-9a-z]{1,4})-([0-9a-z]+(?:-[0-9a-z]+)*)-([0-9a-z]{16})$/

/** @param reference of `0-9`, `a-z` and single hyphens, 26 characters at most */
export function signAddress(keys: SigningKeys, mailbox: OwnMailbox, reference: string): string {
  const signed = `${keys.current.id.toString(36)}-${reference}`
  return `${signed}-${mac(keys.current, mailbox, signed)}`
}

/** The reference that was signed for `mailbox`, or undefined. Never throws, whatever the text. */
export function readAddress(keys: SigningKeys, mailbox: OwnMailbox, text: string): string | undefined {
  const parts = text.length > 64 ? null : SHAPE.exec(text.toLowerCase())
  if (!parts) return undefined
  const [whole, id = '', reference = '', given = ''] = parts
  const key = keys.verifying.get(Number.parseInt(id, 36))
  if (!key) return undefined
  const expected = mac(key, mailbox, whole.slice(0, -MAC_LENGTH - 1))
  return timingSafeEqual(Buffer.from(expected, 'latin1'), Buffer.from(given, 'latin1'))
    ? reference
    : undefined
}

function mac(key: SigningKey, mailbox: OwnMailbox, signed: string): string {
  const digest = createHmac('sha256', key.secret).update(`winback address ${mailbox}\n${signed}`).digest()
  const number = BigInt(`0x${digest.subarray(0, MAC_BYTES).toString('hex')}`)
  return number.toString(36).padStart(MAC_LENGTH, '0')
}
