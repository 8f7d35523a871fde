/**
 * A field of a CSV (RFC 4180) that no spreadsheet takes for a formula: text that begins with one of = + - @, a tab or a
 * line break, also behind spaces, gets an apostrophe before it, full-width signs included. Names of segments, domains,
 * providers' words and what contacts typed come from outside.
 */
export function csvField(value: string | number): string {
  const text =
    typeof value === 'number' ? String(value) : /^\s*[=+\-@\t\r\n＝＋－＠]/u.test(value) ? `'${value}` : value
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
