import type { RepeatedHeads } from '../../src/statistics/clusters.ts'
import { type RoiMoments, roiOfStrata } from '../../src/statistics/roi.ts'

/** {@link roiOfStrata} of arms that were drawn with one share. */
export function roiOf(treated: RoiMoments, heldOut: RoiMoments, repeated?: RepeatedHeads) {
  return roiOfStrata([{ treated, heldOut }], repeated)
}
