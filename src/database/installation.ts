import { randomBytes } from 'node:crypto'
import { sql } from 'drizzle-orm'
import { WinbackError } from '../errors.ts'
import { rows, type Session } from './connect.ts'

// What an installation is called by its providers. Touchpoints and grants are numbers of one database: rehearsals,
// production, and a database that was begun anew have the same ones, and to a provider that recognises repeats a message
// of one would be a repeat of another's. So each database has a name of its own, drawn once, kept by a move and by a
// restored backup, and part of every key.

export interface Installation {
  /** Eight digits and small letters. */
  readonly name: string
  /** What was given out by then had keys without the name, and keeps them: a repeat must be recognised. */
  readonly unnamed: { readonly touchpoint: number; readonly grant: number }
}

const SETTING = 'installation'
const SHAPE = /^([0-9a-z]{8}) (\d+) (\d+)$/

/** Draws the name where there is none: of a copy whose name was taken out, to live beside the original. */
export async function drawInstallation(session: Session): Promise<void> {
  const drawn = `${randomBytes(4).toString('hex')} 0 0`
  await rows(
    session,
    sql`INSERT INTO settings (name, value) VALUES (${SETTING}, ${drawn}) ON CONFLICT (name) DO NOTHING`,
  )
}

/** @throws WinbackError `database.not_migrated` */
export async function readInstallation(session: Session): Promise<Installation> {
  const [found] = await rows<{ value: string }>(
    session,
    sql`SELECT value FROM settings WHERE name = ${SETTING}`,
  )
  const [, name, touchpoint, grant] = SHAPE.exec(found?.value ?? '') ?? []
  if (name !== undefined) return { name, unnamed: { touchpoint: Number(touchpoint), grant: Number(grant) } }
  throw new WinbackError('database.not_migrated', 'the database has no name that providers know it by', {
    remedy: 'Run `winback doctor`, or any command that migrates: it draws one.',
  })
}

/** The installation as part of what names a message; nothing for messages that were named without it. */
export function named(
  { name, unnamed }: Installation,
  touchpointId: number,
): { readonly installation?: string } {
  return touchpointId > unnamed.touchpoint ? { installation: name } : {}
}

/** By what a provider recognises a repeat of a message: the same for every try. */
export function messageKey({ name, unnamed }: Installation, touchpointId: number): string {
  return touchpointId > unnamed.touchpoint ? `tp-${name}-${touchpointId}` : `tp-${touchpointId}`
}

/** By what the offer provider recognises a repeat of a grant. */
export function grantKey({ name, unnamed }: Installation, grantId: number): string {
  return grantId > unnamed.grant ? `grant-${name}-${grantId}` : `grant-${grantId}`
}

/** Whether a report may be about a message of this installation. One provider may report to several of what all of them sent. */
export function isOurs(
  { name }: Installation,
  { installation }: { readonly installation?: string | undefined },
): boolean {
  return installation === undefined || installation === name
}
