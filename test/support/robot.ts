import { serveRobot, reportHeaders as signReport } from '../../src/simulator/providers/signed.ts'
import { openProvider } from './provider.ts'

// The demo's voice robot, with the tests' faults around it.

const SECRET = 'sixteen letters at least'
export const ROBOT = { secret: SECRET, allow_private: ['127.0.0.1'], connections: 2 }

export function openRobot() {
  return openProvider(serveRobot(SECRET))
}

/** Headers of a report, signed as the robot signs it. */
export function reportHeaders(now: Date, body: string): Record<string, string> {
  return signReport(SECRET, now, body)
}
