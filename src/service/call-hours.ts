import { sql } from 'drizzle-orm'
import { isZone } from '../config/zones.ts'
import { rows } from '../database/connect.ts'
import type { CallKey, Quiet } from '../outcomes/calls.ts'
import { sendWindowOf } from '../touchpoints/guards/guard-context.ts'
import { openingByZone } from '../touchpoints/guards/windows.ts'
import type { Runtime } from './runtime.ts'

// When somebody may be rung. A call is a message that goes out when an agent takes it, hours after the guards have let its
// task go: the local hours its campaign keeps are asked about once more.

type Part = Pick<Runtime, 'database' | 'book' | 'worker' | 'workspace'>

/**
 * Of the calls that agents are to make, the steps and time zones in which it is not the hour now.
 * @param key only what concerns this call
 */
export async function readQuietHours(runtime: Part, now: Date, key?: CallKey): Promise<Quiet[]> {
  const { database, book, workspace, worker } = runtime
  const places = await rows<{ stepId: number; campaign: string; version: number; timezone: string | null }>(
    database,
    sql`SELECT DISTINCT c.step_id AS "stepId", p.campaign, p.version, o.timezone
        FROM calls c JOIN contacts o USING (contact_id) JOIN steps p ON p.step_id = c.step_id
        WHERE c.state IN ('open', 'claimed') AND c.taker = 'agent'
          ${key ? sql`AND c.contact_id = ${key.contactId} AND c.call_id = ${key.callId}` : sql``}`,
  )
  const openings = new Map<number, (zone: string) => Date | undefined>()
  const quiet: Quiet[] = []
  for (const { stepId, campaign, version, timezone } of places) {
    const known = openings.get(stepId)
    const opening =
      known ??
      openingByZone(
        sendWindowOf(
          (await book.text(campaign, version)).definition.limits?.send_window ?? {},
          { name: 'callback', channel: worker.channels.get('callback') },
          worker.calendar,
        ),
        now,
        0,
        worker.calendar,
      )
    openings.set(stepId, opening)
    const until = opening(timezone !== null && isZone(timezone) ? timezone : workspace.timezone)
    if (until) quiet.push({ stepId, timezone, until })
  }
  return quiet
}
