import type { Context } from 'hono'
import { HTTPException } from 'hono/http-exception'
import { routePath } from 'hono/route'
import type { ContentfulStatusCode } from 'hono/utils/http-status'

// What a request that is not served is told: always JSON, always with a reason a person can act on.

/** The body of every answer of 4xx and 5xx. */
export interface Refusal {
  /** Stable, for programs: `unauthorised`, `too_large`, `malformed` … */
  readonly error: string
  /** For people: what is wrong, and what would be right. */
  readonly reason: string
  /** Also in the header X-Request-Id, and in the log of what failed on our side. */
  readonly request_id: string
}

/** Answers with a refusal. */
export function refuse(c: Context, status: ContentfulStatusCode, error: string, reason: string): Response {
  return c.json({ error, reason, request_id: c.get('requestId') } satisfies Refusal, status)
}

/** What was asked for, to be logged: `GET /preferences/:token`. An address may let in whoever reads it, or name a contact. */
export function routeOf(c: Context): string {
  return `${c.req.method} ${routePath(c)}`
}

/** A refusal thrown from a depth where there is no context to answer with; the server makes the answer of it. */
export class RefusedError extends HTTPException {
  readonly error: string
  constructor(status: ContentfulStatusCode, error: string, reason: string) {
    super(status, { message: reason })
    this.error = error
  }
}
