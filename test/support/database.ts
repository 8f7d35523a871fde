import pg from 'pg'
import { inject } from 'vitest'
import { connect, type Database } from '../../src/database/connect.ts'
import { afterFile } from './after-file.ts'

let clones = 0
/** The file's own connection to the server: to open one takes longer than to drop a database. */
let administrator: Promise<pg.Client> | undefined

/** The server's URL, for tests that make roles or databases of their own. The user may create both. */
export function serverUrl(): string {
  return inject('serverUrl')
}

/** A name no other test, file or run uses; whatever database has it is dropped after the run. */
export function freshName(): string {
  clones += 1
  return `${inject('prefix')}_${process.pid}_${clones}`
}

/** A migrated database of its own, cloned from a template; closed and dropped after the test file. */
export async function freshDatabase(options: { max?: number } = {}): Promise<Database> {
  const name = freshName()
  // FILE_COPY forces two checkpoints, which cost nothing in memory, and everybody on a server that others share; there
  // WAL_LOG writes the template's few MB, for three times the work.
  const template = `${inject('prefix')}_template`
  await administer(`CREATE DATABASE ${name} TEMPLATE ${template} STRATEGY ${inject('cloning')}`)
  const database = connect(urlOf(name), { max: options.max ?? 8, applicationName: 'winback test' })
  dropAfterFile(database, name)
  return database
}

/** An unmigrated, empty database; closed and dropped after the test file. */
export async function emptyDatabase(): Promise<Database> {
  const name = freshName()
  await administer(`CREATE DATABASE ${name}`)
  const database = connect(urlOf(name), { applicationName: 'winback test' })
  dropAfterFile(database, name)
  return database
}

/** The server's URL with another database, and perhaps another role. */
export function urlOf(name: string, role?: { name: string; password: string }): string {
  const url = new URL(serverUrl())
  url.pathname = `/${name}`
  if (role) {
    url.username = role.name
    url.password = role.password
  }
  return url.href
}

/** Runs one statement on the server's own database, outside any transaction. */
export async function administer(statement: string): Promise<pg.QueryResult> {
  administrator ??= openAdministrator()
  return await (await administrator).query(statement)
}

async function openAdministrator(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: serverUrl() })
  await client.connect()
  // Before any database is made, so it ends when all are dropped.
  afterFile(async () => {
    administrator = undefined
    await client.end()
  })
  return client
}

function dropAfterFile(database: Database, name: string): void {
  afterFile(async () => {
    await database.close().catch(() => {})
    await administer(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
  })
}
