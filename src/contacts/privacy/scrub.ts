import { createReadStream } from 'node:fs'
import { open, realpath, rename, rm, stat } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { codeOf, messageOf, WinbackError } from '../../errors.ts'

// Reject files hold rows as they came: an erasure takes the person's out.

/** What a row of a file is recognised by. */
export interface Traces {
  /** Every name it had: ids, and those its devices went by. */
  readonly names: readonly string[]
  readonly email: string | null
  /** Every way in which the number may be written, as `spellings` gives them; empty where there is none. */
  readonly phones: readonly string[]
}

const FLUSH_AT = 64_000

/**
 * Rewrites a reject file without the rows that name the person; as a whole or not at all.
 * @returns how many rows went; undefined where there is no such file on this machine
 * @throws WinbackError `erase.rejects` where it is there and cannot be read or rewritten
 */
export async function scrubRejects(path: string, traces: Traces): Promise<number | undefined> {
  try {
    // What a link leads to is rewritten, and not the link. A device or a pipe keeps nothing, and might be waited for.
    const file = await realpath(path)
    return (await stat(file)).isFile() ? await rewrite(file, recogniser(traces)) : 0
  } catch (cause) {
    if (['ENOENT', 'ENOTDIR'].includes(codeOf(cause))) return undefined
    throw new WinbackError(
      'erase.rejects',
      `${path} cannot be looked through, which holds rows as they came: ${messageOf(cause)}`,
      {
        location: { file: path },
        facts: { path },
        remedy: 'See to it, or delete that file, and erase again: nothing was erased yet.',
        cause,
      },
    )
  }
}

async function rewrite(path: string, names: (text: string) => boolean): Promise<number> {
  const clean = `${path}.erasing`
  const output = await open(clean, 'w', 0o600)
  let gone = 0
  let record = ''
  let waiting = ''
  const keep = async (text: string) => {
    waiting += text
    if (waiting.length < FLUSH_AT) return
    await output.writeFile(waiting)
    waiting = ''
  }
  try {
    const lines = createInterface({
      input: createReadStream(path, 'utf8'),
      crlfDelay: Number.POSITIVE_INFINITY,
    })
    for await (const line of lines) {
      record = record === '' ? line : `${record}\n${line}`
      // A quoted cell may hold line ends: a record ends where its quotes are even.
      if (record.split('"').length % 2 === 0) continue
      if (names(record)) gone += 1
      else await keep(`${record}\n`)
      record = ''
    }
    if (record !== '' && !names(record)) await keep(record)
    await output.writeFile(waiting)
    await output.close()
    if (gone > 0) await rename(clean, path)
    return gone
  } finally {
    await output.close()
    await rm(clean, { force: true })
  }
}

/** True of a text that has a name or the address as a word of its own, or the number whatever its spaces. */
function recogniser({ names, email, phones }: Traces): (text: string) => boolean {
  const words = [...names, ...(email === null ? [] : [email])].map(
    (word) =>
      new RegExp(
        `(?<![\\p{L}\\p{N}])${plain(word).replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')}(?![\\p{L}\\p{N}])`,
        'iu',
      ),
  )
  // Ten digits tell a number apart; where a country's are shorter, a row may have them without the country.
  const numbers = [...new Set(phones.map((phone) => phone.replace(/\D/g, '').slice(-10)))]
  return (text) => {
    const readable = plain(text)
    const digits = readable.replace(/[\s().\-–/]/g, '')
    return words.some((word) => word.test(readable)) || numbers.some((number) => digits.includes(number))
  }
}

/**
 * As it is compared, however a file wrote it: NDJSON escapes what is not ASCII, quotes are doubled in CSV and escaped in
 * NDJSON, and a file may have composed letters or digits of full width.
 */
function plain(text: string): string {
  return text
    .replace(/\\u([\da-f]{4})/gi, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
    .replace(/["\\]/g, '')
    .normalize('NFKC')
}
