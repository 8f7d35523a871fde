import { type Command, Option } from 'commander'
import { WinbackError } from '../errors.ts'
import { painter, table } from '../reports/layout.ts'
import { isRole, ROLES } from '../web/accounts/roles.ts'
import { addUser, changeUser, findUser, issueLink, listUsers, type User } from '../web/accounts/users.ts'
import { momentWriter } from './moments.ts'
import { operator } from './operator.ts'
import type { Outcome } from './output.ts'
import { describe, type Start } from './verb.ts'
import { type DatabaseContext, withWorkspace } from './workspace.ts'

export function users(start: Start): Command {
  const command = describe('users', {
    group: 'care',
    summary: 'Who may sign in to the web, and what each may do',
    description:
      'A user sets a password by a link that works once. Roles, each with all that those before it may do:\n' +
      '  viewer    figures, campaigns, stories of contacts with addresses masked\n' +
      '  agent     addresses, and recording what a contact asked for\n' +
      '  operator  plan, approve, pause, resume, stop, export, erase\n' +
      '  admin     users and keys',
    examples: [
      ['winback users add ada --role operator', 'prints the link to give to Ada'],
      ['winback users link ada', 'a new link: the password was forgotten'],
      ['winback users disable ada', 'signed out everywhere, and not in again'],
    ],
  })
  const child = (
    name: string,
    description: string,
    run: (context: DatabaseContext, name: string, role: string) => Promise<Outcome>,
  ) =>
    command
      .command(name)
      .description(description)
      .argument('<name>', 'the user')
      .action((user: string, options: { role?: string }, made: Command) =>
        start(made, (invocation) =>
          withWorkspace(invocation, (context) => run(context, user, options.role ?? 'viewer')),
        ),
      )
  const role = () => new Option('--role <role>', 'what the user may do').choices(ROLES).makeOptionMandatory()
  command
    .command('list')
    .description('The users there are')
    .action((_options: unknown, made: Command) =>
      start(made, (invocation) => withWorkspace(invocation, runList)),
    )
  child('add', 'Add a user and print the link that sets the password', runAdd).addOption(role())
  child('link', 'Print a new link that sets the password; the one before is void', runLink)
  child('role', 'Change what a user may do', runRole).addOption(role())
  child('disable', 'Sign a user out everywhere, and do not let them in again', (context, name) =>
    runSwitch(context, name, true),
  )
  child('enable', 'Let a user in again', (context, name) => runSwitch(context, name, false))
  return command
}

const COLUMNS = ['name', 'role', 'state', 'last seen'].map((title) => ({ title, align: 'left' }) as const)

async function runList({ database, loaded, output }: DatabaseContext): Promise<Outcome> {
  const found = await listUsers(database)
  const at = momentWriter(loaded.definition.timezone)
  const lines = found.map((user) => [
    user.name,
    user.role,
    stateOf(user),
    user.seenAt ? at(user.seenAt) : 'never',
  ])
  return {
    data: { users: found },
    text:
      found.length === 0
        ? 'Nobody yet: `winback start` prints the link of the first admin.'
        : table(COLUMNS, lines, painter(output.colors.isColorSupported)).join('\n'),
  }
}

function stateOf({ disabledAt, hasPassword }: User): string {
  if (disabledAt !== null) return 'disabled'
  return hasPassword ? 'can sign in' : 'has not used the link'
}

async function runAdd(context: DatabaseContext, name: string, role: string): Promise<Outcome> {
  const { database, clock } = context
  if (!isRole(role)) throw new Error(`no such role: ${role}`)
  const user = await addUser(database, { name, role, now: clock.now(), by: operator() })
  const link = await linkFor(context, user)
  return {
    data: { user, link },
    text: `${user.name} is ${user.role}. To set a password, once, within a week:\n${link}`,
  }
}

async function runLink(context: DatabaseContext, name: string): Promise<Outcome> {
  const user = await userNamed(context, name)
  const link = await linkFor(context, user)
  return { data: { user, link }, text: `To set a new password, once, within a week:\n${link}` }
}

async function runRole(context: DatabaseContext, name: string, role: string): Promise<Outcome> {
  if (!isRole(role)) throw new Error(`no such role: ${role}`)
  const user = await userNamed(context, name)
  await changeUser(context.database, user.userId, { role, now: context.clock.now() })
  return { data: { user: { ...user, role } }, text: `${user.name} is ${role} from now on.` }
}

async function runSwitch(context: DatabaseContext, name: string, disabled: boolean): Promise<Outcome> {
  const user = await userNamed(context, name)
  await changeUser(context.database, user.userId, { disabled, now: context.clock.now() })
  const text = disabled ? `${user.name} is signed out and stays out.` : `${user.name} may sign in again.`
  return { data: { user: user.name, disabled }, text }
}

async function userNamed({ database }: DatabaseContext, name: string): Promise<User> {
  const user = await findUser(database, name)
  if (user) return user
  const names = (await listUsers(database)).map((each) => each.name)
  throw new WinbackError('users.unknown', `there is no user ${name}`, {
    remedy:
      names.length > 0 ? `There are ${names.join(', ')}.` : '`winback users add NAME --role admin` adds one.',
  })
}

/** Where the link leads is where the web is reached; without `web.url`, this machine. */
async function linkFor({ database, clock, loaded }: DatabaseContext, user: User): Promise<string> {
  const { url, port } = loaded.definition.web
  return `${url ?? `http://127.0.0.1:${port}`}${await issueLink(database, user.userId, clock.now())}`
}
