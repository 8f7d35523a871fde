/**
 * Looks again until a condition holds: for what other processes do, of which no event reaches us. The one place in the
 * tests where real time passes.
 * @throws Error with `what` and the last value seen, when `seconds` have passed
 */
export async function eventually<T>(
  what: string,
  look: () => Promise<T> | T,
  holds: (value: T) => boolean,
  seconds = 20,
): Promise<T> {
  const end = performance.now() + seconds * 1000
  for (;;) {
    const value = await look()
    if (holds(value)) return value
    if (performance.now() > end) throw new Error(`not within ${seconds} s: ${what}; last ${show(value)}`)
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}

function show(value: unknown): string {
  return JSON.stringify(value) ?? String(value)
}
