import { formatPath, type Path, type SourceDocument, valueAt } from '../../config/documents/document.ts'
import { nearest } from '../../config/nearest-name.ts'
import { connectionRemedy } from '../../database/connection-remedies.ts'
import { isOutage } from '../../database/outage.ts'
import { ConfigError, codeOf, messageOf, type Problem, WinbackError } from '../../errors.ts'
import type { ColumnTrouble } from './columns.ts'

// What goes wrong with somebody else's database, in terms of winback.yaml: the place to mend, and how.

/** A sync as winback.yaml has it. */
export interface SyncPlace {
  readonly name: string
  readonly document: SourceDocument
}

/** What of the source is at fault, as far as it is known before the error is looked at. */
export interface SourceFacts {
  /** Host, port and database; never the password. */
  readonly place: string
  /** The role that reads. */
  readonly role?: string
  /** Whether it has a url of its own. */
  readonly own: boolean
}

/** A statement, and where in it the query of the settings begins. */
export interface Statement {
  readonly sql: string
  readonly query: { readonly text: string; readonly offset: number }
}

/** Everything the columns of a query show to be wrong, each at its place. */
export function columnProblems(
  { name, document }: SyncPlace,
  troubles: readonly ColumnTrouble[],
): ConfigError {
  return new ConfigError(
    troubles.map(({ path, message, names, found }): Problem => {
      const whole = ['sync', name, ...path]
      const suggestion = found === undefined ? undefined : nearest(found, names)
      return {
        severity: 'error',
        location: document.locate(whole),
        path: formatPath(whole),
        message,
        found,
        suggestion,
      }
    }),
  )
}

/** Why a source could not be opened: `unavailable.source`. */
export function connectFailure(
  { name, document }: SyncPlace,
  facts: SourceFacts,
  cause: unknown,
): WinbackError {
  const code = codeOf(cause)
  const setting = facts.own ? `sync.${name}.url` : 'database.url (or DATABASE_URL)'
  const words =
    code === '28P01' || code === '28000'
      ? `${facts.place} does not let the user in: ${messageOf(cause)}`
      : code === '3D000'
        ? `there is no such database: ${facts.place}`
        : `${facts.place} does not answer: ${messageOf(cause) || code}`
  return new WinbackError('unavailable.source', `sync ${name}: ${words}`, {
    location: document.locate(['sync', name, ...(facts.own ? ['url'] : [])]),
    remedy:
      code === '28P01' || code === '28000'
        ? `Check the user and the password in ${setting}, and that the server lets this machine in (pg_hba.conf).`
        : (connectionRemedy(cause)?.en ?? `Check ${setting}, and that the server is up.`),
    cause,
  })
}

/** Why a statement failed at the source: at the line and column of winback.yaml where PostgreSQL names a position. */
export function statementFailure(
  place: SyncPlace,
  facts: SourceFacts,
  statement: Statement,
  cause: unknown,
): WinbackError {
  const { name, document } = place
  const code = codeOf(cause)
  const path: Path = ['sync', name, 'query']
  // A query that would write is no outage, though a standby says the same of one.
  if (code !== '25006' && isOutage(cause)) return connectFailure(place, facts, cause)
  if (code === '42501') {
    return new WinbackError(
      'sync.permission',
      `sync ${name}: ${facts.role ?? 'the role'} may not read all of the query: ${messageOf(cause)}`,
      {
        location: document.locate(path),
        remedy: `Let the owner run: ${grantFor(messageOf(cause), facts.role ?? 'ROLE')}`,
        cause,
      },
    )
  }
  if (code === '57014') {
    return new WinbackError(
      'unavailable.source',
      `sync ${name}: the query was cancelled at ${facts.place}: ${messageOf(cause)}`,
      {
        location: document.locate(path),
        remedy: 'Give the query an index on its cursor, or the role a longer statement_timeout.',
        cause,
      },
    )
  }
  if (code === '') throw cause
  const hint =
    cause instanceof Error && 'hint' in cause && typeof cause.hint === 'string' ? ` (${cause.hint})` : ''
  return new ConfigError([
    {
      severity: 'error',
      location: locateError(place, statement, cause),
      path: formatPath(path),
      message: `PostgreSQL says: ${messageOf(cause)}${hint}`,
    },
  ])
}

/** PostgreSQL counts characters from 1; the document's text is UTF-16. */
function locateError({ name, document }: SyncPlace, statement: Statement, cause: unknown) {
  const path: Path = ['sync', name, 'query']
  const position = cause instanceof Error && 'position' in cause ? Number(cause.position) : Number.NaN
  if (!Number.isInteger(position)) return document.locate(path)
  const { text, offset } = statement.query
  const before = [...statement.sql].slice(0, position - 1).join('').length
  const inside = Math.min(Math.max(0, before - offset), text.trimEnd().length)
  // With references filled in, what ran is not what stands there.
  const written = valueAt(document.value, path)
  return typeof written === 'string' &&
    written.startsWith(text) &&
    before >= offset &&
    before <= offset + text.length
    ? document.locateInside(path, inside)
    : document.locate(before > offset + text.length ? ['sync', name, 'cursor'] : path)
}

/** The grant a refusal asks for, in so far as PostgreSQL's words name the object. */
function grantFor(message: string, role: string): string {
  const [, kind = '', object = ''] = /permission denied for (\w+(?: \w+)*) (\S+)$/.exec(message) ?? []
  const to = /^[a-z_][a-z0-9_$]*$/.test(role) ? role : `"${role.replaceAll('"', '""')}"`
  switch (kind) {
    case 'schema':
      return `GRANT USAGE ON SCHEMA ${object} TO ${to};`
    case 'table':
    case 'view':
    case 'materialized view':
    case 'foreign table':
      return `GRANT SELECT ON ${object} TO ${to};`
    case 'function':
      return `GRANT EXECUTE ON FUNCTION ${object} TO ${to};`
    default:
      return `GRANT SELECT ON … TO ${to}; for every table or view the query names`
  }
}
