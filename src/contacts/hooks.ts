import type { Transaction } from '../database/connect.ts'

/**
 * What later stages do in the very transaction that records a fact about contacts: cancel what a return makes
 * moot, skip what may no longer be sent. Given by whoever starts an ingest, so that contacts/ knows no later stage.
 * Each is called only where there is something in its temporary table, and must not commit.
 */
export interface Hooks {
  /** Temporary table `new_activity(contact_id, occurred_at, type, value)`: what was not known before. */
  onActivity?(tx: Transaction, now: Date): Promise<void>
  /** Temporary table `new_suppressions(kind, key)`. */
  onSuppressed?(tx: Transaction, now: Date): Promise<void>
  /** Temporary table `new_refusals(contact_id, channel, reason)`: what may not be sent from now on; `*` is every channel. */
  onRefused?(tx: Transaction, now: Date): Promise<void>
  /** Temporary table `erased_contacts(contact_id)`, whose rows are about to go. May refuse by throwing. */
  onErased?(tx: Transaction, now: Date): Promise<void>
  /** Temporary table `merged_persons(old_person, new_person)`: every contact of old_person is new_person's now. */
  onMerged?(tx: Transaction, now: Date): Promise<void>
}
