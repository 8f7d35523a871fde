// Why a planned touchpoint waits. A guard or a send that puts one back says which of these it was; the row keeps it until
// it is claimed again, so that whoever asks is told the cause and not merely the time.

export const WAITS = [
  /** The channel's hours where the contact lives. */
  'quiet_hours',
  /** The hours are open, but not on this day: a blackout date, a holiday, a weekend. */
  'holiday',
  /** The person has had as much as a cap allows. */
  'frequency_cap',
  /** There is room under a cap for one, and another of the person's messages ranks higher. */
  'outranked',
  /** The day's budget is spent. */
  'budget_exhausted',
  /** What is left of a budget is held by messages under way. */
  'budget_held',
  /** Another step is granting the same offer at this moment. */
  'offer_held',
  /** The provider that credits accounts gave no answer, or cannot be reached. */
  'credit',
  /** People can make no more calls on this day. */
  'capacity',
  /** The channel is switched off: by hand, or by its breaker. */
  'paused',
  /** While it was being prepared, something was switched off, refused or sent, or the person became another. */
  'changed',
  /** The channel's provider cannot be reached: the channel rests, and this message was not tried. */
  'unreachable',
  /** A send was tried, of this message or of others, and the provider or the network could not take it. */
  'retry',
] as const

/**
 * What the provider that credits offers is called where channels are named whose provider is away. No channel has a dot in
 * its name.
 */
export const CREDITOR = 'offers.provider'

/** Seconds for which a message is put back as `unreachable` at most: the longest rest of a channel. */
export const LONGEST_REST = 900

export type Wait = (typeof WAITS)[number]
