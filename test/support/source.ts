import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ManualClock } from '../../src/clock.ts'
import { environmentFrom } from '../../src/config/environment.ts'
import { readWorkspace } from '../../src/config/load.ts'
import type { SyncSummary } from '../../src/contacts/sync/sync.ts'
import type { Database } from '../../src/database/connect.ts'
import { openRuntime, type Runtime } from '../../src/service/runtime.ts'
import { syncSource, type WorkspaceText } from '../../src/service/sync.ts'
import { afterFile } from './after-file.ts'

// A shop whose contacts and orders stand in a database of its own, and the workspace that syncs them.

export const SHOP = `
CREATE TABLE customers (id text PRIMARY KEY, email text, name text, points int, vip boolean,
  created_at timestamptz NOT NULL DEFAULT '2025-01-05', updated_at timestamptz NOT NULL);
CREATE TABLE orders (id bigserial PRIMARY KEY, customer text NOT NULL, paid_at timestamptz NOT NULL, total numeric(12, 2),
  coupon text, what text NOT NULL DEFAULT 'order')`

export const SYNC = `
version: 1
name: Shop
timezone: UTC
currency: CNY
locales: [en]
attributes: { first_name: string, points: number, vip: bool }
events: { names: { "Paid": order } }
channels: { log: {} }
sync:
  customers:
    kind: contacts
    url: "\${SHOP}"
    query: |
      SELECT id, email, name, points, vip, created_at, updated_at
      FROM customers
    cursor: updated_at
    fields: { external_id: id, first_name: name, signed_up_at: created_at }
  orders:
    kind: activity
    url: "\${SHOP}"
    query: SELECT id, customer, paid_at, total, coupon, what FROM orders
    cursor: id
    key: id
    fields: { external_id: customer, occurred_at: paid_at, type: what, value: total, properties.coupon: coupon }
`

export interface Syncing {
  readonly runtime: Runtime
  readonly text: WorkspaceText
  run(name: string, options?: Parameters<typeof syncSource>[3]): Promise<SyncSummary>
}

/** A workspace over `database` whose \${SHOP} is the url of another. */
export async function openSyncing(options: {
  database: Database
  clock: ManualClock
  shop: string
  source?: string
}): Promise<Syncing> {
  const { database, clock, shop, source = SYNC } = options
  const directory = mkdtempSync(join(tmpdir(), 'winback-sync-'))
  afterFile(() => rmSync(directory, { recursive: true, force: true }))
  const file = 'winback.yaml'
  const { definition, problems } = readWorkspace(file, source, environmentFrom({ SHOP: shop }), directory)
  if (!definition) throw new Error(JSON.stringify(problems))
  const runtime = await openRuntime({ database, workspace: definition, clock, channels: new Map() })
  const text = { file, source, directory }
  return { runtime, text, run: (name, given) => syncSource(runtime, text, name, given) }
}
