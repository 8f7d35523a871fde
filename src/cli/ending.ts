/** Milliseconds that an orderly end may take in silence. */
export const SILENCE = 5_000

/** What runs on until it is told to end. */
export interface Part {
  readonly name: string
  /** Lets what is under way end, then resolves. */
  close(): Promise<unknown>
}

/**
 * Ends all parts at once, and waits for them however long that takes.
 * @param late told, every few seconds, the names of those that have not ended yet
 * @throws what a part throws on its end
 */
export async function endAll(
  parts: readonly Part[],
  late: (names: readonly string[]) => void,
  silence = SILENCE,
): Promise<void> {
  const open = new Set(parts)
  const watch = setInterval(() => late([...open].map(({ name }) => name)), silence)
  try {
    await Promise.all(parts.map((part) => part.close().then(() => open.delete(part))))
  } finally {
    clearInterval(watch)
  }
}
