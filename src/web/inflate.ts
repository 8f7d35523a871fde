import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { codeOf, messageOf } from '../errors.ts'
import { RefusedError } from './answers.ts'

// A kilobyte of gzip may come to a megabyte. Each body is inflated up to a limit and no further, and one after the other:
// of a thousand that come at once, one takes memory and the others wait as small as they came.

/**
 * What a gzip body was before it was packed.
 * @throws RefusedError 413 where it comes to more than it may, 400 where it is no gzip, a damaged or a cut one
 */
export type Inflate = (packed: ArrayBuffer) => Promise<Uint8Array>

/** @param most bytes that a body may come to */
export function openInflate(most: number): Inflate {
  let before: Promise<unknown> = Promise.resolve()
  return (packed) => {
    const inflated = before.then(() => inflate(packed, most))
    before = inflated.catch(() => {})
    return inflated
  }
}

async function inflate(packed: ArrayBuffer, most: number): Promise<Uint8Array> {
  try {
    return await unpack(packed, { maxOutputLength: most })
  } catch (error) {
    const code = codeOf(error)
    if (code === 'ERR_BUFFER_TOO_LARGE') {
      const reason = `the body inflates to more than ${most / 1024} KB; send smaller batches`
      throw new RefusedError(413, 'too_large', reason)
    }
    if (!BROKEN.includes(code)) throw error
    throw new RefusedError(400, 'malformed', `the body is no whole gzip: ${messageOf(error)}`)
  }
}

const unpack = promisify(gunzip)
/** What zlib says of bytes that are no gzip, damaged, or cut off. */
const BROKEN = ['Z_DATA_ERROR', 'Z_BUF_ERROR']
