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
  const begun = performance.now()
  for (;;) {
    const value = await look()
    if (holds(value)) return value
    const waited = performance.now() - begun
    if (waited > seconds * 1000) throw new Error(`not within ${seconds} s: ${what}; last ${show(value)}`)
    // What takes long is asked about more rarely: who asks takes the processor from those who are waited for.
    await new Promise((resolve) => setTimeout(resolve, Math.min(200, 20 + waited / 20)))
  }
}

function show(value: unknown): string {
  return JSON.stringify(value) ?? String(value)
}
