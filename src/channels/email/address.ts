import { domainToASCII } from 'node:url'
import addressparser from 'nodemailer/lib/addressparser'

// RFC 5321 and 6531, less what no provider of mailboxes hands out: quoted local parts, address literals and
// domains without a dot. What passes here may still be refused by its server; what fails never arrives.

/** Controls, invisible formatting, lone surrogates and spaces. */
const UNFIT = /[\p{Cc}\p{Cf}\p{Cs}\p{Z}]/u
const ASCII_LOCAL = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/
const LOCAL =
  /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\u{10FFFF}-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\u{10FFFF}-]+)*$/u
const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/
/** What a URL parser would read as something other than a name. */
const NOT_IN_DOMAIN = /["#%/:<>?@[\\\]^`{|}]/

/** An address as it is handed over: the domain in lower case and punycode, the local part as written. */
export function parseAddress(text: string): string | undefined {
  const trimmed = text.trim()
  const at = trimmed.lastIndexOf('@')
  if (at < 1 || UNFIT.test(trimmed)) return undefined
  const local = trimmed.slice(0, at)
  const domain = parseDomain(trimmed.slice(at + 1))
  if (domain === undefined || !(ASCII_LOCAL.test(local) || LOCAL.test(local))) return undefined
  if (Buffer.byteLength(local) > 64) return undefined
  const address = `${local}@${domain}`
  return Buffer.byteLength(address) > 254 ? undefined : address
}

/** A domain with a dot in it, in lower case and punycode; undefined where it is none. */
export function parseDomain(text: string): string | undefined {
  if (NOT_IN_DOMAIN.test(text)) return undefined
  const domain = domainToASCII(text)
  const labels = domain.split('.')
  if (domain === '' || domain.length > 253 || labels.length < 2) return undefined
  if (!labels.every((label) => LABEL.test(label))) return undefined
  // A last label of digits alone is an IPv4 address, not a domain.
  return /^\d+$/.test(labels.at(-1) ?? '') ? undefined : domain
}

export interface Sender {
  /** The visible name, in any script; empty where there is none. */
  readonly name: string
  readonly address: string
  readonly domain: string
}

/** `Shop <hello@shop.example>` or `hello@shop.example`; undefined where it is not exactly one valid address. */
export function parseSender(text: string): Sender | undefined {
  const [first, ...more] = addressparser(text)
  if (!first || more.length > 0 || first.group !== undefined || first.address === undefined) return undefined
  const address = parseAddress(first.address)
  if (address === undefined) return undefined
  return { name: first.name, address, domain: address.slice(address.lastIndexOf('@') + 1) }
}

/** Room for `+` and the signed reference within the 64 characters of a local part. */
export const LONGEST_MAILBOX = 16

/** An address that references can be added to: `bounce@shop.example`. */
export function parseMailbox(text: string): string | undefined {
  const address = parseAddress(text)
  return address !== undefined && address.indexOf('@') <= LONGEST_MAILBOX ? address : undefined
}
