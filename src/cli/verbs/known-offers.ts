import { readFile } from 'node:fs/promises'
import { openVersions } from '../../audience/advance.ts'
import type { VersionText } from '../../config/compiled.ts'
import { findCampaigns, salvageApplied } from '../../config/load.ts'
import { appliedNames, currentVersion } from '../../config/versions.ts'
import type { CampaignOffer } from '../../offers/import.ts'
import { hasImportedCodes } from '../../offers/offers.ts'
import { openQuietRuntime } from '../quiet-runtime.ts'
import type { DatabaseContext } from '../workspace.ts'

/**
 * The offers of every campaign, as it was applied last and as its file has them: codes are loaded before the first run can
 * promise one, and so before the campaign is applied. Those of older versions, too, as long as somebody is under way with one:
 * it is promised to them.
 */
export async function knownOffers(context: DatabaseContext): Promise<CampaignOffer[]> {
  const { database, loaded } = context
  const { book } = await openQuietRuntime(context)
  const found = new Map<string, CampaignOffer>()
  const add = (campaign: string, offers: VersionText['definition']['offers'] = {}) => {
    for (const [offer, terms] of Object.entries(offers)) {
      const name = `${campaign}.${offer}`
      const imported = hasImportedCodes(terms)
      found.set(name, { campaign, offer, imported: imported || found.get(name)?.imported === true })
    }
  }
  for (const name of await appliedNames(database)) {
    const current = await currentVersion(database, name)
    const versions = new Set([...(await openVersions(database, name)), ...(current ? [current.version] : [])])
    for (const version of versions) add(name, (await book.text(name, version)).definition.offers)
  }
  for (const file of await findCampaigns(loaded).catch(() => [])) {
    const { campaign, offers } = salvageApplied(file, await readFile(file, 'utf8'))
    if (campaign !== undefined) add(campaign, offers)
  }
  return [...found.values()]
}
