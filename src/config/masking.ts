// Personal data as listings and logs show them: enough to recognise, too little to use.

/** How personal data are shown: {@link MASKED} unless an operator asks for more. */
export interface Mask {
  email(address: string): string
  phone(number: string): string
  name(name: string): string
  /** An offer's code: whoever knows it may use it. */
  code(code: string): string
  /** Free text, such as a provider’s refusal: every address and number in it. */
  text(words: string): string
  /** Values by dotted path, as templates print them: names by their path, addresses by their look. */
  facts(values: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>>
}

// A local part has 64 characters at most: without a bound, a long word is gone through again from each of its letters.
const EMAIL = /[^\s@"'<>(),:;[\]\\]{1,100}@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+/gu
// Seven digits or more that are no part of a date, an amount or an id: a + before them, or a mobile number of China, in one or
// as people write it (138 0013 8000, 138-0013-8000).
const PHONE =
  /\+\d{1,3} ?(?:\(\d{1,5}\))?[\d .-]{6,18}\d|(?<![A-Za-z\d])(?:(?:00)?86[ -]?)?1[3-9]\d(?:[ -]?\d{4}){2}(?![A-Za-z\d])/gu
/** Paths and attributes that hold a name. */
export const NAME = /(?:name|surname|nick)$/

export const MASKED: Mask = {
  email: maskEmail,
  phone: maskPhone,
  name: maskName,
  code: maskCode,
  text: maskText,
  facts: (values) =>
    Object.fromEntries(
      Object.entries(values).map(([path, value]) => {
        if (typeof value !== 'string' || !path.startsWith('contact.')) return [path, value]
        if (path === 'contact.external_id') return [path, value]
        return [path, NAME.test(path) ? maskName(value) : maskText(value)]
      }),
    ),
}

/** Everything as it is: for an operator who asked. */
export const UNMASKED: Mask = {
  email: (address) => address,
  phone: (number) => number,
  name: (name) => name,
  code: (code) => code,
  text: (words) => words,
  facts: (values) => values,
}

/** `liwei@example.com` → `l***@example.com`. */
export function maskEmail(email: string): string {
  const at = email.lastIndexOf('@')
  const [first = ''] = email
  return at > 0 ? `${first}***${email.slice(at)}` : '***'
}

/** `+8613800001234` → `138****1234`; a number that is not Chinese keeps its last four digits. */
export function maskPhone(phone: string): string {
  const digits = phone.replace(/\D/g, '')
  const chinese = /^(?:00)?(?:86)?(1[3-9]\d)\d{4}(\d{4})$/.exec(digits)
  if (chinese) return `${chinese[1]}****${chinese[2]}`
  return digits.length > 6 ? `***${digits.slice(-4)}` : '***'
}

/** `Li Wei` → `L**`, `李伟` → `李**`; nothing stays nothing. */
export function maskName(name: string): string {
  const [first] = name.trim()
  return first === undefined ? name : `${first}**`
}

/** `7Q2K-9M4X-AB12` → `****-AB12`; of a short one nothing is left. */
function maskCode(code: string): string {
  return code.length > 8 ? `****-${code.slice(-4)}` : '****'
}

/** Masks the addresses and numbers that stand in free text. */
export function maskText(words: string): string {
  return words.replace(EMAIL, maskEmail).replace(PHONE, maskPhone)
}
