import { readSwitches, type SwitchTarget } from '../config/switches.ts'
import { switchReason } from '../reports/switch-reason.ts'
import type { Speech } from '../reports/words.ts'
import { sayIn } from './locale.ts'
import type { DatabaseContext } from './workspace.ts'

/**
 * Warns where everything, or one of the campaigns, is paused or stopped: a version that is applied to what is held back, or
 * restored, runs no more than the one before.
 */
export async function warnOfSwitches(
  context: DatabaseContext,
  names: readonly string[],
  speech: Speech,
): Promise<void> {
  const say = sayIn(speech)
  for (const held of await readSwitches(context.database)) {
    const { scope, name, state, reason: kept } = held
    if (scope === 'channel' || (scope === 'campaign' && !names.includes(name))) continue
    const what = scope === 'workspace' ? say('everything', '全部发送') : name
    const reason = switchReason(kept, speech.language)
    const resume = `\`winback resume ${namedBy(held)}\``
    context.output.warn(
      state === 'stopped'
        ? say(
            `${what} was stopped for good (${reason}) and stays stopped: nobody is taken in. Apply it under another name to begin anew.`,
            `${what} 已永久停止（${reason}），不会再纳入任何人。如需重新开始，请换一个名称应用。`,
          )
        : say(
            `${what} is paused (${reason}) and stays paused until ${resume}.`,
            `${what} 处于暂停（${reason}），用 ${resume} 恢复。`,
          ),
    )
  }
}

/** What `winback pause` and `winback resume` are told of it: `--all`, `--channel email` or the name of a campaign. */
export function namedBy({ scope, name }: SwitchTarget): string {
  if (scope === 'workspace') return '--all'
  return scope === 'channel' ? `--channel ${name}` : name
}
