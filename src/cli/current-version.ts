import type { CampaignBook, CompiledCampaign } from '../config/compiled.ts'
import { WinbackError } from '../errors.ts'
import type { Say } from './locale.ts'
import type { Output } from './output.ts'
import { reasonOf } from './verbs/doctor/finding.ts'

/**
 * A campaign's version in force, for whoever looks at several: one that this Winback cannot read (a newer one applied it) is
 * told of, and keeps none of the others waiting.
 * @returns undefined for such a one
 */
export async function currentVersion(
  book: CampaignBook,
  name: string,
  { warn }: Pick<Output, 'warn'>,
  say: Say,
): Promise<CompiledCampaign | undefined> {
  return await book.current(name).catch((error: unknown) => {
    if (!(error instanceof WinbackError)) throw error
    const why = reasonOf(error, say)
    warn(
      say(
        `${name} can no longer be read, and it takes nobody in: ${why}; \`winback doctor\` says more`,
        `${name} 已无法读取，不再纳入任何人：${why}；详见 \`winback doctor\``,
      ),
    )
    return undefined
  })
}
