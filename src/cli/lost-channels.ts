import { sql } from 'drizzle-orm'
import { registerChannels } from '../channels/channels.ts'
import { rows } from '../database/connect.ts'
import type { Speech } from '../reports/words.ts'
import { sayIn } from './locale.ts'
import type { DatabaseContext } from './workspace.ts'

// Who takes a channel out of winback.yaml and out of the campaigns has not taken it from those under way, who keep the version
// they began with: what they wait for is skipped, each message for good.

/** Messages of a campaign that wait for channels none of which winback.yaml has. */
export interface LostMessages {
  readonly campaign: string
  readonly channels: readonly string[]
  readonly messages: number
}

/** By campaign and channels; without those that are `not_yet` there, which reach nobody on purpose. */
export async function lostMessages({ database, loaded }: DatabaseContext): Promise<LostMessages[]> {
  const { definition } = loaded
  const registry = [...registerChannels(definition).values()]
  const known = [...registry.flatMap(({ name, setUp }) => (setUp ? [name] : [])), ...definition.not_yet]
  const closed = await rows<{ stepId: number }>(
    database,
    sql`SELECT step_id AS "stepId" FROM steps WHERE NOT channels && ${sql.param(known)}::text[]`,
  )
  // All that waits is read only where there is something to be found.
  if (closed.length === 0) return []
  const stepIds = closed.map(({ stepId }) => stepId)
  return await rows<LostMessages>(
    database,
    sql`SELECT s.campaign, s.channels, count(*) AS messages FROM touchpoints t JOIN steps s USING (step_id)
      WHERE t.step_id = ANY (${sql.param(stepIds)}::int[]) GROUP BY s.campaign, s.channels ORDER BY s.campaign, s.channels`,
  )
}

/** What is so, and what keeps it from happening. */
export function lostText(
  { campaign, channels, messages }: LostMessages,
  speech: Speech,
): { readonly found: string; readonly mend: string } {
  const say = sayIn(speech)
  const count = speech.count(messages)
  const all = `${count} ${messages === 1 ? 'message' : 'messages'} of ${campaign}`
  return {
    found: say(
      `${all} planned for people under way by ${channels.join(', ')}, which winback.yaml has no block for, will not be sent`,
      `${campaign} 为进行中的人计划的 ${count} 条消息将不会发送：winback.yaml 中没有渠道 ${channels.join('、')} 的配置`,
    ),
    mend: say(
      'Bring the block back until they have come to their end.',
      '请恢复该配置，直到这些人全部结束。',
    ),
  }
}

/** Warns of {@link lostMessages}. */
export async function warnOfLostMessages(context: DatabaseContext, speech: Speech): Promise<void> {
  for (const lost of await lostMessages(context)) {
    const { found, mend } = lostText(lost, speech)
    context.output.warn(sayIn(speech)(`${found}. ${mend}`, `${found}。${mend}`))
  }
}
