import type { Context } from 'hono'

/** A report as JSON, with the figures the terminal prints: of maps, such as what each version drew with, JSON knows nothing. */
export function answerReport(c: Context, report: object): Response {
  const plain = (_key: string, value: unknown) => (value instanceof Map ? Object.fromEntries(value) : value)
  return c.body(JSON.stringify(report, plain), 200, { 'Content-Type': 'application/json' })
}
