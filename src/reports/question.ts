import type { PoolTerms } from '../offers/pools.ts'
import type { Split } from './effect.ts'
import type { Range } from './people-cells.ts'

export interface VariantShare {
  readonly name: string
  readonly share: number
}

/** What the reports of a campaign are asked with; the caller knows the campaign's file. */
export interface CampaignQuestion extends Range {
  /** What the arms were drawn with, by version. */
  readonly split: ReadonlyMap<number, Split>
  /** What steps compared, by version and step: names in the order of the file, shares in (0, 1]. */
  readonly variants?: ReadonlyMap<number, ReadonlyMap<string, readonly VariantShare[]>> | undefined
  /** The newest version, where its goals can no longer be read: margin then is of what was known of them last. */
  readonly goalsUnread?: number | undefined
  /** What a recall is worth, and what a new customer costs, in micros. */
  readonly recallValue?: number | undefined
  readonly acquisition?: number | undefined
  /** Of the campaign's file, by offer. */
  readonly offers?: Readonly<Record<string, PoolTerms>> | undefined
  /** Budgets of the campaign's file, in micros. */
  readonly budget?:
    | {
        readonly spend?: { readonly amount: number; readonly per: 'day' | 'campaign' } | undefined
        readonly liability?: { readonly amount: number; readonly per: 'day' | 'campaign' } | undefined
      }
    | undefined
}
