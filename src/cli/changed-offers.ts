import { openVersions } from '../audience/advance.ts'
import type { LoadedCampaign } from '../config/load.ts'
import { currentVersion } from '../config/versions.ts'
import { hasImportedCodes, type Offer, viewOffer } from '../offers/offers.ts'
import { readPools } from '../offers/pools.ts'
import type { Say } from './locale.ts'
import { openQuietRuntime } from './quiet-runtime.ts'
import type { DatabaseContext } from './workspace.ts'

/**
 * Warns of offers that promise something else than in the version that runs, and whose imported codes are of one kind: what a
 * code is worth is known by the shop that takes it, and codes go by the offer's name, whichever version promises one.
 */
export async function warnOfChangedOffers(
  context: DatabaseContext,
  { file, definition }: LoadedCampaign,
  say: Say,
): Promise<void> {
  const { database, clock, output } = context
  const { campaign, offers } = definition
  const current = await currentVersion(database, campaign)
  if (!current) return
  const { book } = await openQuietRuntime(context)
  const before = (await book.text(campaign, current.version)).definition.offers ?? {}
  const changed = Object.fromEntries(
    Object.entries(offers).filter(([name, terms]) => {
      const old = before[name]
      const imported = old !== undefined && hasImportedCodes(old) && hasImportedCodes(terms)
      return imported && promiseOf(old) !== promiseOf(terms)
    }),
  )
  if (Object.keys(changed).length === 0) return
  const underWay = (await openVersions(database, campaign)).length > 0
  for (const { offer, free } of await readPools(database, clock.now(), campaign, changed)) {
    if (!Object.hasOwn(changed, offer) || (free === 0 && !underWay)) continue
    output.warn(
      say(
        `${file}: offers.${offer}: it promises something else than in version ${current.version}, and codes go by the name of their offer: those there are, ${free} left, would be given out with the new promise, and those imported from now on to people under way with the old one. Give what it has become a name of its own.`,
        `${file}：offers.${offer}：承诺内容与版本 ${current.version} 不同，而券码按优惠名称发放：已导入的券码（剩 ${free} 个）会随新承诺发出，此后导入的也会随旧承诺发给进行中的人。请为改动后的优惠另取名称。`,
      ),
    )
  }
}

/** What messages say that it is; how long it holds is the grant's. */
function promiseOf(terms: Offer): string {
  return JSON.stringify({ ...viewOffer('', terms), valid_days: undefined })
}
