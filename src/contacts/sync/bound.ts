import type { Overlap } from '../../config/sync-settings.ts'

// From where a sync goes on. Pure: what comes out is a piece of SQL and its values.

type CursorKind = 'time' | 'number' | 'plain'

/** How far a column's value can be gone back from, by its type. */
function cursorKindOf(type: string): CursorKind {
  if (['timestamp with time zone', 'timestamp without time zone', 'date'].includes(type)) return 'time'
  const numbers = ['smallint', 'integer', 'bigint', 'numeric', 'real', 'double precision']
  return numbers.includes(type) ? 'number' : 'plain'
}

/** Seconds: longer transactions than ten minutes are rare where people are served. */
const OVERLAP_SECONDS = 600
/** Ids that may be given out and not committed yet. */
const OVERLAP_UNITS = 1000

/** What is wrong with an overlap for a cursor of `type`; undefined: nothing. */
export function overlapTrouble(overlap: Overlap | undefined, type: string): string | undefined {
  const kind = cursorKindOf(type)
  if (overlap === undefined) return undefined
  if (kind === 'plain') return `a cursor of type ${type} has no before; leave \`overlap\` away`
  if (kind === 'time' && 'units' in overlap) return `the cursor is a ${type}; write a duration such as 10m`
  if (kind === 'number' && 'seconds' in overlap) return `the cursor is a ${type}; write a number such as 1000`
  return undefined
}

/**
 * The lowest cursor to read, as an expression of `$1` … `$n`. A row's time or number is given to it before its
 * transaction commits, so that one may become visible below what has been read already: read again is as far as
 * `overlap` says before the cursor, or before now where the cursor lies in the future. What is read again changes nothing.
 * Text and other types are gone on with from the cursor itself. Its own rows are always read again: several may share it.
 * @param zone of a time without one
 */
export function lowerBound(
  from: { readonly cursor: string; readonly type: string },
  overlap: Overlap | undefined,
  now: Date,
  zone: string,
): { readonly sql: string; readonly values: readonly unknown[] } {
  const { cursor, type } = from
  switch (cursorKindOf(type)) {
    case 'time': {
      const seconds = overlap && 'seconds' in overlap ? overlap.seconds : OVERLAP_SECONDS
      const back = 'make_interval(secs => $3::int)'
      if (type === 'timestamp with time zone') {
        const sql = `LEAST($1::timestamptz, $2::timestamptz) - ${back}`
        return { sql, values: [cursor, now.toISOString(), seconds] }
      }
      const here = '$2::timestamptz AT TIME ZONE $4::text'
      const last = `LEAST($1::timestamp, ${here})`
      const sql = `${last} - ${back} - ${setBackSql(`(${last} - interval '1 hour')`, here)}`
      return { sql, values: [cursor, now.toISOString(), seconds, zone] }
    }
    case 'number': {
      const units = overlap && 'units' in overlap ? overlap.units : OVERLAP_UNITS
      // Of the column's own family, so that an index on it is used.
      const own = ['smallint', 'integer', 'bigint'].includes(type) ? 'bigint' : type
      return { sql: `$1::${own} - $2::${own}`, values: [cursor, units] }
    }
    case 'plain':
      return { sql: `$1::${type}`, values: [cursor] }
  }
}

/**
 * By how much the clock of the zone `$4` was set back between a time it showed and now: what was written since may bear a
 * time so much earlier. Asked of an hour before the cursor, which is not one of those that the clock shows twice.
 * @param here what it shows now, at `$2`
 */
function setBackSql(shown: string, here: string): string {
  return `GREATEST(interval '0', ($2::timestamptz - ${shown} AT TIME ZONE $4::text) - (${here} - ${shown}))`
}
