import { createReadStream, createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { finished } from 'node:stream/promises'

// Reject files hold rows as they came: an erasure takes the person's out.

/** What a row of a file is recognised by. */
export interface Traces {
  /** Every name it had: ids, and those its devices went by. */
  readonly names: readonly string[]
  readonly email: string | null
  readonly phone: string | null
}

/**
 * Rewrites a reject file without the rows that name the person; as a whole or not at all.
 * @returns how many rows went; undefined where there is no such file on this machine
 */
export async function scrubRejects(path: string, traces: Traces): Promise<number | undefined> {
  const names = recogniser(traces)
  const clean = `${path}.erasing`
  const input = createReadStream(path, 'utf8')
  // Lines are asked for only once the file is open: a missing one is an expected answer.
  const opened = await new Promise<boolean>((answer) => {
    input.once('open', () => answer(true))
    input.once('error', () => answer(false))
  })
  if (!opened) return undefined
  const output = createWriteStream(clean, { mode: 0o600 })
  let gone = 0
  let record = ''
  try {
    for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
      record = record === '' ? line : `${record}\n${line}`
      // A quoted cell may hold line ends: a record ends where its quotes are even.
      if (record.split('"').length % 2 === 0) continue
      if (names(record)) gone += 1
      else output.write(`${record}\n`)
      record = ''
    }
    if (record !== '' && !names(record)) output.write(record)
    output.end()
    await finished(output)
    if (gone > 0) await rename(clean, path)
    return gone
  } finally {
    await rm(clean, { force: true })
  }
}

/** True of a text that has a name or the address as a word of its own, or the number whatever its spaces. */
function recogniser({ names, email, phone }: Traces): (text: string) => boolean {
  const words = [...names, ...(email === null ? [] : [email])].map(
    (word) =>
      new RegExp(
        `(?<![\\p{L}\\p{N}])${word.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')}(?![\\p{L}\\p{N}])`,
        'iu',
      ),
  )
  const digits = phone?.replace(/\D/g, '').slice(-10)
  return (text) =>
    words.some((word) => word.test(text)) ||
    (digits !== undefined && text.replace(/[\s().\-–/]/g, '').includes(digits))
}
