import type { Enter } from '../entering.ts'
import type { Allowance, Amount, Band, LocalWindow, Rate } from '../quantities.ts'

/** A document of which any part may be missing, because it was wrong: what the checks are given. */
export type Salvaged<T> = T extends Allowance | Amount | Band | Enter | LocalWindow | Rate
  ? T
  : T extends readonly (infer Item)[]
    ? readonly (Salvaged<Item> | undefined)[]
    : T extends object
      ? { readonly [Key in keyof T]?: Salvaged<T[Key]> | undefined }
      : T
