import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto'

// Passwords are kept as scrypt hashes with their parameters and salt, so that stronger parameters can come later.
// N = 2^15, r = 8, p = 3: the strongest of OWASP's equivalent settings that takes 32 MB of memory.

const COST = { N: 2 ** 15, r: 8, p: 3 } as const
const LENGTH = 32
/** Characters that count: what anybody may send to be tried is as long as they like. */
const LONGEST = 1000

/** Characters, at least: length is worth more than rules about digits. */
export const PASSWORD_LENGTH = 10

/** The hash as it is kept: `scrypt$N$r$p$salt$hash`. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16)
  const hash = await derive(password, salt, COST)
  return ['scrypt', COST.N, COST.r, COST.p, salt.toString('base64url'), hash.toString('base64url')].join('$')
}

/**
 * Whether it is the password. Takes as long for a user who is not there: pass `undefined` then.
 * @param kept what {@link hashPassword} returned
 */
export async function isPassword(password: string, kept: string | null | undefined): Promise<boolean> {
  const [, N = COST.N, r = COST.r, p = COST.p, salt = '', hash = ''] = (kept ?? '').split('$')
  const options = { N: Number(N), r: Number(r), p: Number(p) }
  const found = await derive(password, Buffer.from(salt, 'base64url'), options)
  const expected = Buffer.from(hash, 'base64url')
  return expected.length === found.length && timingSafeEqual(expected, found)
}

function derive(password: string, salt: Buffer, options: ScryptOptions): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    // The same letters typed on another keyboard are the same password.
    scrypt(
      password.slice(0, LONGEST).normalize('NFKC'),
      salt,
      LENGTH,
      { ...options, maxmem: 2 ** 27 },
      (error, key) => (error ? reject(error) : resolve(key)),
    )
  })
}
