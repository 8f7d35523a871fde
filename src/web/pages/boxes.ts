// The boxes of a form with which somebody chooses channels and topics.

/**
 * Pure: the channels or topics that are refused once the boxes of a form were read. What the form does not show (a channel
 * the workspace no longer has) stays refused, and so does everything (`*`) while nothing is wanted.
 */
export function refusedAfter(
  held: readonly string[],
  shown: readonly string[],
  wanted: ReadonlySet<string>,
): string[] {
  const kept = held.filter((name) => !shown.includes(name) && (name !== '*' || wanted.size === 0))
  return [...kept, ...shown.filter((name) => !wanted.has(name))]
}

/**
 * Pure: which boxes of a form stand for ticked ones. One that was sent as it had been shown stands as it does by now: somebody
 * else may have changed it meanwhile, the contact by a link say, and whoever sent the form knows nothing of that.
 * @param shown the boxes that were ticked when the form was made
 * @param held those that would be by now
 */
export function tickedByNow(
  boxes: readonly string[],
  { ticked, shown, held }: Readonly<Record<'ticked' | 'shown' | 'held', ReadonlySet<string>>>,
): Set<string> {
  return new Set(
    boxes.filter((box) => (ticked.has(box) === shown.has(box) ? held.has(box) : ticked.has(box))),
  )
}
