import { Hono } from 'hono'
import { apiPages } from './api.tsx'
import { auditPages } from './audit.tsx'
import { callPages } from './calls/calls.tsx'
import { campaignPages } from './campaigns/campaigns.tsx'
import { contactPages } from './contacts/contacts.tsx'
import { KEYS, KEYS_PATH } from './keys.ts'
import { caughtPages } from './outbox/caught.tsx'
import { outboxPages } from './outbox/outbox.tsx'
import { reportPages } from './reports.tsx'
import { settingsPages } from './settings.tsx'
import { signInPages } from './sign-in/sign-in.tsx'
import { STYLE, STYLE_PATH } from './style.ts'
import { templatePages } from './templates.tsx'
import type { PagesDependencies } from './visit.ts'

/** Everything a browser opens: one file an area. */
export function pages(dependencies: PagesDependencies): Hono {
  return new Hono()
    .get(STYLE_PATH, (c) => {
      c.header('Cache-Control', 'public, max-age=31536000, immutable')
      return c.body(STYLE, 200, { 'Content-Type': 'text/css; charset=utf-8' })
    })
    .get(KEYS_PATH, (c) => {
      c.header('Cache-Control', 'public, max-age=31536000, immutable')
      return c.body(KEYS, 200, { 'Content-Type': 'text/javascript; charset=utf-8' })
    })
    .route('/', signInPages(dependencies))
    .route('/', reportPages(dependencies))
    .route('/', campaignPages(dependencies))
    .route('/', contactPages(dependencies))
    .route('/', callPages(dependencies))
    .route('/', templatePages(dependencies))
    .route('/', outboxPages(dependencies))
    .route('/', caughtPages(dependencies))
    .route('/', settingsPages(dependencies))
    .route('/', auditPages(dependencies))
    .route('/', apiPages(dependencies))
}
