/**
 * Asks what may never answer.
 * @param who begins the sentence of an error: `the channel relay`
 * @throws Error where it throws, at once or later, or has not answered in time
 */
export async function within<Value>(
  milliseconds: number,
  who: string,
  asked: string,
  ask: () => Value | Promise<Value>,
): Promise<Value> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    const message = `${who} had not answered ${milliseconds} ms after it was asked to ${asked}`
    timer = setTimeout(() => reject(new Error(message)), milliseconds)
  })
  try {
    return await Promise.race([ask(), late])
  } finally {
    clearTimeout(timer)
  }
}
