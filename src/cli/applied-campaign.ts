import { nearest } from '../config/nearest-name.ts'
import { appliedNames } from '../config/versions.ts'
import { WinbackError } from '../errors.ts'
import type { Say } from './locale.ts'
import type { DatabaseContext } from './workspace.ts'

/** The name back, where a campaign of that name was ever applied. @throws WinbackError `usage.campaign` */
export async function appliedCampaign(
  { database }: Pick<DatabaseContext, 'database'>,
  wanted: string,
): Promise<string> {
  const names = await appliedNames(database)
  if (names.includes(wanted)) return wanted
  const near = nearest(wanted, names)
  throw new WinbackError('usage.campaign', `no campaign named "${wanted}" was ever applied`, {
    remedy: near
      ? `Did you mean ${near}?`
      : names.length > 0
        ? `There ${names.length === 1 ? 'is' : 'are'} ${names.join(', ')}.`
        : 'Run `winback apply` first.',
  })
}

/** Of what is about campaigns, where there is none. */
export function nothingApplied(say: Say): string {
  return say(
    'No campaign was ever applied. Run `winback apply` first.',
    '尚未应用过任何活动。请先运行 `winback apply`。',
  )
}
