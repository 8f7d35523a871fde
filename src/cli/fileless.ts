import { heldBack } from '../audience/hindrances.ts'
import { appliedNames } from '../config/versions.ts'
import type { Say } from './locale.ts'
import { openQuietRuntime } from './quiet-runtime.ts'
import type { DatabaseContext } from './workspace.ts'

// A campaign lives in the database once it was applied: taking its file away, or giving it another key, ends nothing.

/**
 * Campaigns that go on taking people in though no file has them any more: neither stopped nor paused, nor over by their dates.
 * @param named the campaigns that the workspace's files have
 */
export async function filelessCampaigns(
  context: DatabaseContext,
  named: readonly string[],
): Promise<string[]> {
  const { database, clock } = context
  const without = (await appliedNames(database)).filter((name) => !named.includes(name))
  if (without.length === 0) return []
  const { book } = await openQuietRuntime(context)
  const running: string[] = []
  for (const name of without) {
    // What a version that can no longer be read does is said by what looks at versions.
    const campaign = await book.current(name).catch(() => undefined)
    if (!campaign) continue
    const held = await heldBack(database, campaign, clock.now())
    if (held === undefined || held.state === 'not_yet') running.push(name)
  }
  return running
}

/** What is so, and what ends it. */
export function filelessText(name: string, say: Say): { readonly found: string; readonly mend: string } {
  return {
    found: say(`${name} runs on, though no file has it any more`, `${name} 已没有对应的文件，但仍在运行`),
    mend: say(
      `Run \`winback stop ${name}\` if it is to end; else bring its file back.`,
      `如要结束，请运行 \`winback stop ${name}\`；否则请恢复其文件。`,
    ),
  }
}
