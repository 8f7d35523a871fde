/** Milliseconds that an orderly end may take in silence. */
export const SILENCE = 5_000
/**
 * Milliseconds that providers are waited for. Whoever ends processes kills after ten seconds (Docker) or thirty (Kubernetes):
 * what has no answer by now would have none by then, and would end without a word.
 */
export const PATIENCE = 4_000

/** What runs on until it is told to end. */
export interface Part {
  readonly name: string
  /** Lets what is under way end, then resolves. */
  close(): Promise<unknown>
}

/**
 * Ends all parts at once, and waits for them however long that takes.
 * @param late told, every few seconds, the names of those that have not ended yet
 * @param leave called once providers were waited for long enough
 * @throws what a part throws on its end
 */
export async function endAll(
  parts: readonly Part[],
  late: (names: readonly string[]) => void,
  leave: () => void,
  { silence, patience }: { silence: number; patience: number } = { silence: SILENCE, patience: PATIENCE },
): Promise<void> {
  const open = new Set(parts)
  const leaving = setTimeout(leave, patience)
  const watch = setInterval(() => late([...open].map(({ name }) => name)), silence)
  try {
    await Promise.all(parts.map((part) => part.close().then(() => open.delete(part))))
  } finally {
    clearInterval(watch)
    clearTimeout(leaving)
  }
}
