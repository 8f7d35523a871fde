import { sql } from 'drizzle-orm'
import { Hono } from 'hono'
import { within } from '../../channels/within.ts'
import { type Database, rows } from '../../database/connect.ts'
import { messageOf } from '../../errors.ts'
import { refuse } from '../answers.ts'

/** What asks before it sends requests here: a load balancer, systemd, Kubernetes. */
export function healthApi(options: {
  database: Database
  isDraining: () => boolean
  /** Milliseconds in which the database must answer: who asks waits no longer, and a server that hangs is not ready. */
  patience?: number
}): Hono {
  const { database, isDraining, patience = 5000 } = options
  // One question at a time, whoever asks: while the database hangs, each would wait for a connection of its own.
  let asked: Promise<unknown> | undefined
  const ask = () => {
    asked ??= rows(database, sql`SELECT FROM settings LIMIT 1`).finally(() => {
      asked = undefined
    })
    return asked
  }
  return (
    new Hono()
      // Alive: the process answers. It is not restarted because a database is away.
      .get('/healthz', (c) => c.json({ status: 'ok' }))
      // Ready: what is sent here now will be served.
      .get('/readyz', async (c) => {
        if (isDraining()) return refuse(c, 503, 'draining', 'this process is ending')
        try {
          await within(patience, 'it', 'say whether it is there', ask)
          return c.json({ status: 'ok' })
        } catch (error) {
          return refuse(c, 503, 'database', `the database does not answer: ${messageOf(error)}`)
        }
      })
  )
}
