import type { Attachment } from 'nodemailer/lib/mailer/index.js'

// The texts of a mail as finished MIME parts (RFC 2045), which nodemailer takes as they are. Given as contents, each was read
// three times, letter by letter, and went through a pipeline of streams: a third of what composing a mail costs.

/** Of a line, its end not counted; soft line ends included. */
const LONGEST_LINE = 76
/** Share of bytes beyond one for each character above which base64 is taken: about where it becomes the shorter. */
const DENSE = 1 / 10

/** A text of a mail with its headers, to be sent as it is. */
export function textPart(kind: 'plain' | 'html', content: string): Attachment {
  const { encoding, body } = encodeText(content)
  const head = [`Content-Type: text/${kind}; charset=utf-8`, `Content-Transfer-Encoding: ${encoding}`]
  return { raw: `${head.join('\r\n')}\r\n\r\n${body}` }
}

/** As it is where every server would leave it alone, else in quoted-printable or, for few Latin letters, base64. Pure. */
export function encodeText(content: string): { encoding: string; body: string } {
  const bytes = Buffer.byteLength(content)
  // A character beyond ASCII is one UTF-16 unit of two or three bytes, or two of four.
  const beyond = bytes - content.length
  if (beyond > bytes * DENSE) return { encoding: 'base64', body: base64Lines(content) }
  const lines = beyond === 0 ? content.split(LINE_END) : undefined
  if (lines?.every(isPlain)) return { encoding: '7bit', body: lines.join('\r\n') }
  return { encoding: 'quoted-printable', body: quotedPrintable(content) }
}

const LINE_END = /\r\n|\r|\n/

/** Whether a line of ASCII may go out as it is: short, without white space at its end, without control characters. */
function isPlain(line: string): boolean {
  return line.length <= LONGEST_LINE && /^[\t\x20-\x7e]*$/.test(line) && !/[\t ]$/.test(line)
}

function base64Lines(content: string): string {
  return Buffer.from(content)
    .toString('base64')
    .replace(/.{76}(?!$)/g, '$&\r\n')
}

/** RFC 2045, 6.7. What must be encoded is found by the engine and not letter by letter: most of it is equals signs. */
function quotedPrintable(content: string): string {
  return content
    .replaceAll('=', '=3D')
    .replace(/[^\t\r\n\x20-\x7e]+|[\t ](?=[\r\n]|$)/g, encodeBytes)
    .split(LINE_END)
    .map(foldLine)
    .join('\r\n')
}

/** Soft ends where a line is too long, never within `=C3`. */
function foldLine(line: string): string {
  if (line.length <= LONGEST_LINE) return line
  let folded = ''
  let from = 0
  while (line.length - from > LONGEST_LINE) {
    let to = from + LONGEST_LINE - 1
    if (line[to - 1] === '=') to -= 1
    else if (line[to - 2] === '=') to -= 2
    folded += `${line.slice(from, to)}=\r\n`
    from = to
  }
  return folded + line.slice(from)
}

function encodeBytes(run: string): string {
  return Buffer.from(run).toString('hex').toUpperCase().replace(/../g, '=$&')
}
