import type { Command } from 'commander'
import type { Start } from './verb.ts'

/** Describes one verb, or a few that are alike. */
export type DescribeVerb = (start: Start) => Command | Command[]

/** By their names on the command line, in the order the help lists them. */
const VERBS: readonly (readonly [names: string, read: () => Promise<DescribeVerb>])[] = [
  // A commented workspace and campaign.
  ['init', async () => (await import('./init.ts')).init],
  // Every mistake in the files, at once.
  ['validate', async () => (await import('./validate.ts')).validate],
  // What would happen, to whom, at what cost.
  ['plan', async () => (await import('./plan.ts')).plan],
  // Makes the files the version that runs.
  ['apply', async () => (await import('./apply.ts')).apply],
  // An earlier version again.
  ['rollback', async () => (await import('./rollback.ts')).rollback],
  // JSON Schema for editors.
  ['schema', async () => (await import('./schema.ts')).schema],
  // Contacts, activity, suppressions.
  ['import', async () => (await import('./import.ts')).importData],
  // Contacts and activity from a database.
  ['sync', async () => (await import('./sync.ts')).sync],
  // One mail that came back.
  ['bounce', async () => (await import('./bounce.ts')).bounce],
  // What one contact would get.
  ['preview', async () => (await import('./preview.ts')).preview],
  // A step in your own mailbox.
  ['test-send', async () => (await import('./test-send.ts')).testSend],
  // A rehearsal on the past.
  ['replay', async () => (await import('./replay.ts')).replay],
  // One run by hand.
  ['run', async () => (await import('./run.ts')).run],
  // Everything, until Ctrl-C; the others for more machines.
  ['start worker scheduler web', async () => (await import('./start.ts')).start],
  // The calls people are to make.
  ['calls', async () => (await import('./calls.ts')).calls],
  // Hold what would be sent.
  ['pause', async () => (await import('./switches.ts')).pause],
  // Let it go on.
  ['resume', async () => (await import('./switches.ts')).resume],
  // End a campaign for good.
  ['stop', async () => (await import('./switches.ts')).stop],
  // Who came back, and who because of us.
  ['report', async () => (await import('./report.ts')).report],
  // Monday's page by e-mail.
  ['digest', async () => (await import('./digest.ts')).digest],
  // What else happened that day.
  ['annotate', async () => (await import('./annotate.ts')).annotate],
  // What any experiment's file shows.
  ['lift', async () => (await import('./lift.ts')).lift],
  // One contact's whole story.
  ['explain', async () => (await import('./explain.ts')).explain],
  // Who is lost, who only quiet, and how good the model is.
  ['signals', async () => (await import('./signals.ts')).signals],
  // Who may call the API, and for what.
  ['api-keys', async () => (await import('./api-keys.ts')).apiKeys],
  // What is wrong and how to mend it.
  ['doctor', async () => (await import('./doctor.ts')).doctor],
  // Who may sign in to the web.
  ['users', async () => (await import('./users.ts')).users],
  // Keys of signed links.
  ['signing-keys', async () => (await import('./signing-keys.ts')).signingKeys],
  // What a contact agreed to and chose.
  ['consent', async () => (await import('./privacy.ts')).consent],
  // Everything held about one contact.
  ['export', async () => (await import('./privacy.ts')).exportPerson],
  // One contact, for good.
  ['erase', async () => (await import('./privacy.ts')).erase],
]

/** What each verb is called, in the order of the help. */
export const VERB_NAMES: readonly string[] = VERBS.flatMap(([names]) => names.split(' '))

/**
 * The verbs a command line may be about. Where its first word names one, that one alone: the modules of all of them
 * take longer to read than most verbs take to work. The version is said without any.
 */
export async function readVerbs([first]: readonly string[]): Promise<DescribeVerb[]> {
  if (first === '--version' || first === '-V') return []
  const named = VERBS.filter(([names]) => first !== undefined && names.split(' ').includes(first))
  return Promise.all((named.length > 0 ? named : VERBS).map(([, read]) => read()))
}
