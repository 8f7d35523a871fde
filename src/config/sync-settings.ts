import { z } from 'zod'
import { cronTrouble } from './cron.ts'
import { duration } from './quantities.ts'
import { postgresUrl } from './urls.ts'

// `sync:` of winback.yaml: what is pulled from the user's own PostgreSQL, each by a query.

/** How far back from its cursor a sync reads again: seconds of a time, or so many of a number. */
export type Overlap = { readonly seconds: number } | { readonly units: number }

const overlap = z.union([
  duration.transform((seconds): Overlap => ({ seconds })),
  z
    .int()
    .min(0)
    .transform((units): Overlap => ({ units })),
])

export const syncSettings = z.strictObject({
  kind: z.enum(['contacts', 'activity']).describe('What a row of the query is'),
  url: postgresUrl
    .optional()
    .describe('The PostgreSQL to read; Winback’s own by default. The password only as a reference'),
  query: z.string().min(1).describe('One SELECT. It is read as a subquery, and only what is new of it'),
  cursor: z
    .string()
    .min(1)
    .describe('The column of the query that grows with every change, such as updated_at or an id'),
  key: z
    .string()
    .min(1)
    .optional()
    .describe('Of activity: the column that tells one event from another; message_id by default'),
  fields: z
    .record(z.string(), z.string().min(1))
    .prefault({})
    .describe('Field to column of the query, where the names differ'),
  set: z.record(z.string(), z.string()).prefault({}).describe('Fields that are the same in every row'),
  timezone: z.string().prefault('UTC').describe('IANA zone of times without one'),
  overlap: overlap
    .optional()
    .describe(
      'How far before the cursor is read again, for what was committed late; 10m of a time, 1000 of a number by default',
    ),
  schedule: z
    .string()
    .refine((text) => cronTrouble(text) === undefined, 'expected cron in five fields such as "*/15 * * * *"')
    .optional()
    .describe('When, in cron’s five fields and the workspace’s zone; absent: by `winback sync` alone'),
})

export type SyncSettings = z.output<typeof syncSettings>
