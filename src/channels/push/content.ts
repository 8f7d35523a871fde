import { createHmac } from 'node:crypto'
import type { Template, TemplateView } from '../channel.ts'
import { type Referred, readReference, referenceOf } from '../reference.ts'
import { sameSecret } from '../signatures.ts'

export interface PushContent {
  readonly title: string
  readonly body: string
  /** Where a tap leads. */
  readonly url: string | undefined
}

/** A push as it goes out. */
export interface Push extends PushContent {
  readonly reference: string
  /** What the app hands back when it is tapped. */
  readonly tap: string | undefined
  /** Seconds. */
  readonly ttl: number
}

/** Bytes every provider takes. */
export const LARGEST_PAYLOAD = 4096

export function renderPush(template: Template | undefined, view: TemplateView): PushContent {
  if (!template) throw new Error('a push needs a template')
  const { front, text = '' } = template.render(view)
  const title = (front.subject ?? '').replace(/\s+/g, ' ').trim()
  if (title === '') throw new Error(`the template \`${template.name}\` came out without a subject`)
  return { title, body: text.replace(/\s+/g, ' ').trim(), url: front.url }
}

/** Names a push so that only we can have named it: the reference, and the first 16 bytes of an HMAC-SHA256. */
export function signTap(secret: string, message: Referred): string {
  const reference = referenceOf(message)
  const signature = createHmac('sha256', secret).update(`tap ${reference}`).digest().subarray(0, 16)
  return `${reference}.${signature.toString('base64url')}`
}

/** The push a tap names; undefined where we did not sign it. */
export function readTap(secret: string, tap: string): Referred | undefined {
  const named = readReference(tap.slice(0, Math.max(0, tap.indexOf('.'))))
  return named && sameSecret(tap, signTap(secret, named)) ? named : undefined
}
