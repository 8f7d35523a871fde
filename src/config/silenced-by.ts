/** As much of a campaign as says what ends its sending; of a text that nobody compiled or checked, too. */
interface Told {
  readonly silenced_by?: 'activity' | 'goal' | undefined
  readonly tiers?: readonly ({ readonly enter?: unknown } | undefined)[] | undefined
}

/**
 * What ends the sending of a campaign, said or by default: any activity where its tiers ask for silence, the primary goal where
 * they are entered by a date or an event.
 */
export function silencedByOf({ silenced_by: said, tiers }: Told): 'activity' | 'goal' {
  return said ?? (tiers?.[0]?.enter ? 'goal' : 'activity')
}
