import { isIP } from 'node:net'
import { z } from 'zod'

/**
 * A setting that names a server: its address, or a name to look up. A url, or a port beside it, would pass for a name that
 * nobody can look up, and be told as the server's absence.
 * @param expected what belongs there, and where the rest does: `the name of a server alone, such as smtp.example.com`
 */
export function serverName(expected: string): z.ZodString {
  return z
    .string()
    .refine(
      (text) => isIP(text) !== 0 || /^[\p{L}\p{N}_][\p{L}\p{N}._-]*$/u.test(text),
      `expected ${expected}`,
    )
}

/** A setting that lists hosts that may be called in a private network, as a url names them: in small letters, without their port. */
export const privateHosts = z
  .array(serverName('the name or address of a host alone, such as shop.internal or 10.0.0.7').toLowerCase())
  .prefault([])
