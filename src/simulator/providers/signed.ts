import { createHmac } from 'node:crypto'
import { answer, type LoopbackAnswer, type LoopbackRequest, type Serve } from './loopback.ts'

// Providers of the operator's own, a voice robot and whatever stands behind the webhook: both check the signature by what
// docs/channels.md says of it, and know keys.

/** What the robot is told of a call. */
export interface RobotTask {
  readonly key: string
  readonly reference: string
  readonly phone: string
}

/** A voice robot. @param onTaken hears of each call it takes */
export function serveRobot(secret: string, onTaken: (task: RobotTask) => void = () => {}): Serve {
  return (asked) => {
    if (!isSigned(asked, secret)) return { status: 401 }
    const task = JSON.parse(asked.body.toString()) as Partial<RobotTask>
    const { key, reference, phone } = task
    if (key !== undefined && reference !== undefined && phone !== undefined)
      onTaken({ key, reference, phone })
    return answer({ id: `robot-${asked.headers['idempotency-key']}` }, 202)
  }
}

/** Whatever stands behind the webhook: takes every item of a batch. */
export function serveWebhook(secret: string, onTaken: (items: number) => void = () => {}): Serve {
  return (asked): LoopbackAnswer => {
    if (!isSigned(asked, secret) || asked.headers['x-winback-key'] !== 'winback') return { status: 401 }
    const { items } = JSON.parse(asked.body.toString()) as { items: { key: string }[] }
    onTaken(items.length)
    return answer({ results: items.map(({ key }) => ({ key, status: 'sent', id: `own-${key}` })) })
  }
}

function isSigned({ headers, body }: LoopbackRequest, secret: string): boolean {
  const stamp = headers['x-winback-timestamp']
  const fresh = Math.abs(Number(stamp) - Date.now() / 1000) < 300
  return headers['x-winback-signature'] === signatureOf(secret, String(stamp), body.toString()) && fresh
}

/** Headers of a report, signed at `now` as the provider signs it. */
export function reportHeaders(secret: string, now: Date, body: string): Record<string, string> {
  const stamp = String(Math.floor(now.getTime() / 1000))
  return {
    'x-winback-key': 'winback',
    'x-winback-timestamp': stamp,
    'x-winback-signature': signatureOf(secret, stamp, body),
  }
}

function signatureOf(secret: string, stamp: string, body: string): string {
  return `v1=${createHmac('sha256', secret).update(`${stamp}.${body}`).digest('hex')}`
}
