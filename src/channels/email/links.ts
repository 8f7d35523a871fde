import { type SigningKeys, signToken } from '../../tokens/token.ts'
import { bareReference, type Referred } from '../reference.ts'

// Links in a message: each goes by us, signed, so that a click is known and nobody can make our address lead
// elsewhere. What a token says: `<reference> <url>` for a click, `<reference>` for the rest.

/** Where links lead and what signs them. */
export interface LinkBase {
  /** Public, without a slash at its end. */
  readonly url: string
  readonly keys: SigningKeys
}

export interface Tracking {
  readonly clicks: boolean
  readonly opens: boolean
}

/** Paths below the public address; the web side serves them. */
export const LINK_PATHS = { click: '/c', open: '/o', unsubscribe: '/u' } as const

export function unsubscribeUrl(base: LinkBase, message: Referred): string {
  return `${base.url}${LINK_PATHS.unsubscribe}/${signToken(base.keys, 'unsubscribe', bareReference(message))}`
}

function clickUrl(base: LinkBase, message: Referred, url: string): string {
  return `${base.url}${LINK_PATHS.click}/${signToken(base.keys, 'click', `${bareReference(message)} ${url}`)}`
}

function openUrl(base: LinkBase, message: Referred): string {
  return `${base.url}${LINK_PATHS.open}/${signToken(base.keys, 'open', bareReference(message))}`
}

/** A link of a page: the attribute of an `a`, double-quoted as templates write it, leading to another site. */
const LINK = /(<a\b[^>]*?\shref=")(https?:\/\/[^"]+)"/gi
/** A token carries its address, in bytes; a longer one is left as it is rather than cut. */
const LONGEST_URL = 1000
/** How templates write what HTML would read as markup: Handlebars escapes by names and by numbers. */
const ENTITY = /&(?:#(\d{1,7})|#x([\da-f]{1,6})|(amp|lt|gt|quot|apos));/gi
const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

/**
 * The HTML with its links going by us, and a picture nobody sees that tells of an opening. Our own links (the
 * preferences, the unsubscription) are left alone: using them is no interest in the message.
 */
export function trackHtml(html: string, base: LinkBase, message: Referred, tracking: Tracking): string {
  const linked = tracking.clicks
    ? html.replace(LINK, (whole, before: string, written: string) => {
        const meant = decodeEntities(written)
        const own = meant === base.url || meant.startsWith(`${base.url}/`)
        const url = wireUrl(meant)
        const left = own || url === undefined || url.length > LONGEST_URL
        return left ? whole : `${before}${clickUrl(base, message, url)}"`
      })
    : html
  if (!tracking.opens) return linked
  const pixel = `<img src="${openUrl(base, message)}" width="1" height="1" alt="" style="display:block;width:1px;height:1px;border:0;">`
  const end = linked.lastIndexOf('</body>')
  return end === -1 ? linked + pixel : linked.slice(0, end) + pixel + linked.slice(end)
}

/** A text as HTML's attribute says it: once, so that `&amp;lt;` stays `&lt;`. */
function decodeEntities(written: string): string {
  return written.replace(ENTITY, (whole, decimal?: string, hex?: string, name?: string) => {
    if (name !== undefined) return NAMED[name.toLowerCase()] ?? whole
    const point = decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number(decimal)
    return point > 0x10ffff ? whole : String.fromCodePoint(point)
  })
}

/** An address as browsers ask for it, in ASCII alone, as a header must be; undefined where it is none. */
function wireUrl(text: string): string | undefined {
  return URL.canParse(text) ? new URL(text).href : undefined
}

/** What a click token says. Its signature has been checked; the shape is looked at all the same. */
export function parseClick(payload: string): { reference: string; url: string } | undefined {
  const space = payload.indexOf(' ')
  const said = payload.slice(space + 1)
  const url = wireUrl(said)
  if (space < 1 || url === undefined || !/^https?:\/\//i.test(said)) return undefined
  return { reference: payload.slice(0, space), url }
}
