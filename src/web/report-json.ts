import type { Context } from 'hono'
import { plainJson } from '../reports/plain-json.ts'

/** A report as JSON, with the figures the terminal prints. */
export function answerReport(c: Context, report: object): Response {
  return c.body(JSON.stringify(report, plainJson), 200, { 'Content-Type': 'application/json' })
}
