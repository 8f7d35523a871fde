// How a statement is planned that looks single rows up in tables which have just been filled: of these the planner knows
// nothing, and takes reading all of one, or all that carry one address, for the quicker way to a first match.

/** Until the transaction ends, or {@link PLAN_AS_USUAL}. */
export const LOOK_UP_SINGLY = 'SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off'

/** For what joins whole chunks. */
export const PLAN_AS_USUAL = 'SET LOCAL enable_seqscan TO DEFAULT; SET LOCAL enable_bitmapscan TO DEFAULT'
