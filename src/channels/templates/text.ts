import { createRequire } from 'node:module'
import type { HtmlToTextOptions } from 'html-to-text'

// The plain-text part. Converting each message's HTML costs more than rendering and sending it together, so a
// template is converted once, with its mustaches left standing, and rendered as a text template of its own.

const OPTIONS: HtmlToTextOptions = {
  wordwrap: false,
  selectors: [
    { selector: '.preheader', format: 'skip' },
    { selector: '[aria-hidden=true]', format: 'skip' },
    { selector: 'head', format: 'skip' },
    { selector: 'title', format: 'skip' },
    { selector: 'img', format: 'skip' },
    { selector: 'table', format: 'block', options: { leadingLineBreaks: 2, trailingLineBreaks: 2 } },
    { selector: 'tr', format: 'block', options: { leadingLineBreaks: 1, trailingLineBreaks: 1 } },
    { selector: 'a', options: { hideLinkHrefIfSameAsText: true, linkBrackets: ['( ', ' )'] } },
    ...['h1', 'h2', 'h3', 'h4', 'h5', 'h6'].map((selector) => ({ selector, options: { uppercase: false } })),
  ],
}

// Read at the first template that is converted: every verb reads the channels, and few render a mail.
const require = createRequire(import.meta.url)
let converter: ((html: string) => string) | undefined

function convert(html: string): string {
  converter ??= (require('html-to-text') as typeof import('html-to-text')).compile(OPTIONS)
  return converter(html)
}

/** The text of an HTML message, for reading without HTML. */
export function plainText(html: string): string {
  return tidyText(convert(html))
}

/** Takes out the gaps that absent blocks leave. */
export function tidyText(text: string): string {
  return text
    .replace(/[ \t]+$/gm, '')
    .replace(/\n{3,}/g, '\n\n')
    .trim()
}

const COMMENT = /\{\{~?!--[\s\S]*?--~?\}\}|\{\{~?![^}]*\}\}/g
const MUSTACHE = /\{\{\{[\s\S]*?\}\}\}|\{\{[\s\S]*?\}\}/g
const BODY = /\{\{\{ *@body *\}\}\}/g
const LONE_PARTIAL = /^[ \t]*(\{\{> ?[^{}]*\}\})[ \t]*$/gm
const TOKEN = /\uE000(\d+)\uE001/g

/** The text template of an HTML template: mustaches stand where they stood. */
export function textSource(source: string): string {
  const kept: string[] = []
  // Private-use characters pass through the HTML parser as a word, in text and in attributes alike.
  const opaque = source
    .replace(COMMENT, '')
    // What is laid in whole, and a partial on a line of its own, is a block of its own.
    .replace(BODY, '<p>$&</p>')
    .replace(LONE_PARTIAL, '<p>$1</p>')
    .replace(MUSTACHE, (mustache) => `\uE000${kept.push(mustache) - 1}\uE001`)
  return convert(opaque).replace(TOKEN, (_, index: string) => kept[Number(index)] ?? '')
}
