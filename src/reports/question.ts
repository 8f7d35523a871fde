import type { PoolTerms } from '../offers/pools.ts'
import type { Split } from './effect.ts'
import type { Range } from './people-cells.ts'

/** What the reports of a campaign are asked with; the caller knows the campaign's file. */
export interface CampaignQuestion extends Range {
  /** What the arms were drawn with, by version. */
  readonly split: ReadonlyMap<number, Split>
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
