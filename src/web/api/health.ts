import { sql } from 'drizzle-orm'
import { Hono } from 'hono'
import { type Database, rows } from '../../database/connect.ts'
import { messageOf } from '../../errors.ts'
import { refuse } from '../answers.ts'

/** What asks before it sends requests here: a load balancer, systemd, Kubernetes. */
export function healthApi(options: { database: Database; isDraining: () => boolean }): Hono {
  return (
    new Hono()
      // Alive: the process answers. It is not restarted because a database is away.
      .get('/healthz', (c) => c.json({ status: 'ok' }))
      // Ready: what is sent here now will be served.
      .get('/readyz', async (c) => {
        if (options.isDraining()) return refuse(c, 503, 'draining', 'this process is ending')
        try {
          await rows(options.database, sql`SELECT FROM settings LIMIT 1`)
          return c.json({ status: 'ok' })
        } catch (error) {
          return refuse(c, 503, 'database', `the database does not answer: ${messageOf(error)}`)
        }
      })
  )
}
