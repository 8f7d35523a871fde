import { createHmac } from 'node:crypto'
import { openProvider } from './provider.ts'

// A voice robot that checks the signature by what docs/channels.md says of it, and knows keys.

const SECRET = 'sixteen letters at least'
export const ROBOT = { secret: SECRET, allow_private: ['127.0.0.1'], connections: 2 }

export function openRobot() {
  return openProvider(({ headers, body }) => {
    const stamp = headers['x-winback-timestamp']
    const fresh = Math.abs(Number(stamp) - Date.now() / 1000) < 300
    if (headers['x-winback-signature'] !== sign(String(stamp), body.toString()) || !fresh)
      return { status: 401 }
    return { status: 202, body: JSON.stringify({ id: `robot-${headers['idempotency-key']}` }) }
  })
}

/** Headers of a report, signed as the robot signs it. */
export function reportHeaders(now: Date, body: string): Record<string, string> {
  const stamp = String(Math.floor(now.getTime() / 1000))
  return {
    'x-winback-key': 'winback',
    'x-winback-timestamp': stamp,
    'x-winback-signature': sign(stamp, body),
  }
}

function sign(stamp: string, body: string): string {
  return `v1=${createHmac('sha256', SECRET).update(`${stamp}.${body}`).digest('hex')}`
}
