import { Command } from 'commander'
import { GROUPS, type Start } from './verb.ts'

/** Describes one verb, or a few that are alike. */
export type DescribeVerb = (start: Start) => Command | Command[]

/** These describe themselves together. */
const serve = async () => (await import('./verbs/start.ts')).start

/** As the help lists them, which reads none of them: how a verb is called, under which heading, what it does, and itself. */
const VERBS: readonly (readonly [
  usage: string,
  group: keyof typeof GROUPS,
  summary: string,
  read: () => Promise<DescribeVerb>,
])[] = [
  [
    'init [dir]',
    'begin',
    'Write a commented workspace, a campaign and its templates',
    async () => (await import('./verbs/init.ts')).init,
  ],
  [
    'validate [files...]',
    'campaigns',
    'Find every mistake in the workspace, the campaigns and the templates',
    async () => (await import('./verbs/validate.ts')).validate,
  ],
  [
    'plan [campaigns...]',
    'campaigns',
    'What a campaign would do, to whom, at what cost, and what it could prove',
    async () => (await import('./verbs/plan.ts')).plan,
  ],
  [
    'apply [campaigns...]',
    'campaigns',
    'Make campaign files the versions that run',
    async () => (await import('./verbs/apply.ts')).apply,
  ],
  [
    'rollback <campaign>',
    'campaigns',
    'Go back to an earlier version of a campaign, templates included',
    async () => (await import('./verbs/rollback.ts')).rollback,
  ],
  [
    'schema',
    'campaigns',
    'Print the JSON Schema of a file format, for editors',
    async () => (await import('./verbs/schema.ts')).schema,
  ],
  [
    'import',
    'data',
    'Read contacts, activity, suppressions, consents, sends, codes, redemptions or interviews from a file',
    async () => (await import('./verbs/import.ts')).importData,
  ],
  [
    'sync [source]',
    'data',
    'Pull contacts and activity from your own PostgreSQL, by the queries of winback.yaml',
    async () => (await import('./verbs/sync.ts')).sync,
  ],
  [
    'bounce [file]',
    'data',
    'Read one returned mail: a bounce, a complaint, a wish to be left alone',
    async () => (await import('./verbs/bounce.ts')).bounce,
  ],
  [
    'preview <campaign> <step>',
    'campaigns',
    'Show what one contact would get of a step, and whether they would get it',
    async () => (await import('./verbs/preview.ts')).preview,
  ],
  [
    'test-send <campaign> <step>',
    'campaigns',
    'Send one step to an address of your own, with a contact’s data',
    async () => (await import('./verbs/test-send.ts')).testSend,
  ],
  [
    'replay [campaigns...]',
    'campaigns',
    'Rehearse campaigns on the past: the same code, driven by the clock, in a schema of its own',
    async () => (await import('./verbs/replay.ts')).replay,
  ],
  [
    'run [campaign]',
    'run',
    'Run campaigns once, now: who has lapsed is taken in, who is due gets the next message',
    async () => (await import('./verbs/run.ts')).run,
  ],
  ['start', 'run', 'Run everything in one process: schedules, dispatch, sending, sweeping, web', serve],
  ['worker', 'run', 'Only send: one more machine for the work', serve],
  ['scheduler', 'run', 'Only schedule, dispatch and sweep', serve],
  ['web', 'run', 'Only serve the web side: events in, links of messages', serve],
  [
    'calls',
    'run',
    'Work through the calls that people are to make',
    async () => (await import('./verbs/calls.ts')).calls,
  ],
  [
    'pause [campaign]',
    'run',
    'Hold back what would be sent, until resumed',
    async () => (await import('./verbs/switches.ts')).pause,
  ],
  [
    'resume [campaign]',
    'run',
    'Let what was paused go on',
    async () => (await import('./verbs/switches.ts')).resume,
  ],
  [
    'stop <campaign>',
    'run',
    'End a campaign for good',
    async () => (await import('./verbs/switches.ts')).stop,
  ],
  [
    'report [name] [campaign]',
    'look',
    'Who came back, and who of them because of us',
    async () => (await import('./verbs/report.ts')).report,
  ],
  [
    'digest',
    'look',
    'Monday’s page by e-mail, with its charts as pictures',
    async () => (await import('./verbs/digest.ts')).digest,
  ],
  [
    'annotate [text]',
    'look',
    'Note what else happened on a day: it is marked on every curve',
    async () => (await import('./verbs/annotate.ts')).annotate,
  ],
  [
    'lift <file>',
    'look',
    'What an experiment showed: any file with groups and an outcome',
    async () => (await import('./verbs/lift.ts')).lift,
  ],
  [
    'explain <contact>',
    'look',
    'Tell one contact’s whole story in words',
    async () => (await import('./verbs/explain.ts')).explain,
  ],
  [
    'signals',
    'look',
    'What is known of everybody: how many are lost or only quiet, and how good the return model is',
    async () => (await import('./verbs/signals.ts')).signals,
  ],
  [
    'api-keys',
    'care',
    'Make, show and revoke the keys of the API',
    async () => (await import('./verbs/api-keys.ts')).apiKeys,
  ],
  [
    'doctor',
    'care',
    'Check everything Winback leans on, and say how to mend what is wrong',
    async () => (await import('./verbs/doctor.ts')).doctor,
  ],
  [
    'users',
    'care',
    'Who may sign in to the web, and what each may do',
    async () => (await import('./verbs/users.ts')).users,
  ],
  [
    'signing-keys',
    'care',
    'Show, renew and retire the keys of signed links',
    async () => (await import('./verbs/signing-keys.ts')).signingKeys,
  ],
  [
    'consent <contact>',
    'care',
    'Show what a contact agreed to and chose, or record it',
    async () => (await import('./verbs/privacy.ts')).consent,
  ],
  [
    'allow [address]',
    'care',
    'Take addresses off the do-not-contact list that were put there by mistake',
    async () => (await import('./verbs/allow.ts')).allow,
  ],
  [
    'export <contact>',
    'care',
    'Print everything held about one contact',
    async () => (await import('./verbs/privacy.ts')).exportPerson,
  ],
  [
    'erase <contact>',
    'care',
    'Erase one contact for good',
    async () => (await import('./verbs/privacy.ts')).erase,
  ],
  [
    'move [url]',
    'care',
    'Copy everything into another PostgreSQL, such as from the embedded one to your own',
    async () => (await import('./verbs/move.ts')).move,
  ],
]

const nameOf = ([usage]: (typeof VERBS)[number]): string => usage.replace(/ .*/, '')

/** What each verb is called, in the order of the help. */
export const VERB_NAMES: readonly string[] = VERBS.map(nameOf)

/**
 * The verbs a command line may be about. Where its first word names one, that one alone: the modules of all of them
 * take longer to read than most verbs take to work. The version is said without any, and their list without reading them.
 */
export async function readVerbs(args: readonly string[]): Promise<DescribeVerb[]> {
  const [first] = args
  if (first === '--version' || first === '-V') return []
  if (asksForList(args)) return VERBS.map((verb) => () => listed(verb))
  const named = VERBS.filter((verb) => nameOf(verb) === first)
  return readAll(named.length > 0 ? named : VERBS)
}

/** Every verb, with all it says of itself and does. */
export async function readAll(verbs: typeof VERBS = VERBS): Promise<DescribeVerb[]> {
  return Promise.all([...new Set(verbs.map(([, , , read]) => read))].map((read) => read()))
}

/** Nothing but the list is wanted, in whatever language. */
function asksForList(args: readonly string[]): boolean {
  const [first, ...more] = args.filter((arg, at) => arg !== '--locale' && args[at - 1] !== '--locale')
  return more.length === 0 && (first === undefined || ['--help', '-h', 'help'].includes(first))
}

/** A verb's line of the list. */
function listed([usage, group, summary]: (typeof VERBS)[number]): Command {
  const [name = '', ...args] = usage.split(' ')
  const command = new Command(name).summary(summary).helpGroup(`${GROUPS[group]}:`)
  return args.length === 0 ? command : command.arguments(args.join(' '))
}
