import { randomInt } from 'node:crypto'

// Codes people type in: no letter that is taken for a digit, a check letter that finds one wrong or two exchanged.

/** Crockford's base 32 (https://www.crockford.com/base32.html): without I, L, O and U. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
/** Random letters: 75 bits, so that who knows a million codes guesses none. */
const LENGTH = 15

/** A code nobody has had and nobody can guess: `7K2M-9QXW-4ZTB-J0RD`. */
export function generateCode(): string {
  let letters = ''
  for (let place = 0; place < LENGTH; place += 1) letters += ALPHABET[randomInt(ALPHABET.length)]
  return group(letters + checkLetter(letters))
}

/** Shown in previews, test mails and to seeds: of the right form, and wrong by its check letter. */
export const DUMMY_CODE = 'TEST-0000-0000-000T'

/** A code as it is kept, from what somebody typed: capitals, no separators. */
export function normaliseCode(typed: string): string {
  return typed
    .normalize('NFKC')
    .toUpperCase()
    .replace(/[\s\-_.]/g, '')
}

/** {@link normaliseCode} for a generated one, whose alphabet is known: O is 0, I and L are 1. */
export function readGenerated(typed: string): string {
  return normaliseCode(typed).replace(/O/g, '0').replace(/[IL]/g, '1')
}

/** Whether a code has the length and the letters of a generated one, and not the check letter. */
export function isMistyped(typed: string): boolean {
  const code = readGenerated(typed)
  if (code.length !== LENGTH + 1 || [...code].some((letter) => !ALPHABET.includes(letter))) return false
  return checkLetter(code.slice(0, -1)) !== code.at(-1)
}

/** Luhn's algorithm in base 32 (https://en.wikipedia.org/wiki/Luhn_mod_N_algorithm). */
function checkLetter(letters: string): string {
  const base = ALPHABET.length
  let sum = 0
  for (const [place, letter] of [...letters].reverse().entries()) {
    const product = ALPHABET.indexOf(letter) * (place % 2 === 0 ? 2 : 1)
    sum += Math.floor(product / base) + (product % base)
  }
  return ALPHABET[(base - (sum % base)) % base] ?? '0'
}

function group(letters: string): string {
  return letters.match(/.{4}/g)?.join('-') ?? letters
}
