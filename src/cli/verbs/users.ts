import { type Command, Option } from 'commander'
import { WinbackError } from '../../errors.ts'
import { fitted, left, painter } from '../../reports/layout.ts'
import type { Language } from '../../reports/words.ts'
import { isRole, ROLES } from '../../web/accounts/roles.ts'
import { addUser, changeUser, findUser, issueLink, listUsers, type User } from '../../web/accounts/users.ts'
import { ownAddressOf } from '../../web/address.ts'
import { ROLE_WORDS } from '../../web/pages/role-words.ts'
import { type Say, type Spoken, sayIn, speechIn, spoken } from '../locale.ts'
import { operator } from '../operator.ts'
import type { Outcome } from '../output.ts'
import { describe, type Start } from '../verb.ts'
import { type DatabaseContext, startInWorkspace } from '../workspace.ts'

export function users(start: Start): Command {
  const command = describe('users', {
    group: 'care',
    summary: 'Who may sign in to the web, and what each may do',
    description:
      'A user sets a password by a link that works once. Roles, each with all that those before it may do:\n' +
      '  viewer    figures, campaigns, stories of contacts with addresses masked\n' +
      '  agent     addresses, calls, and recording what a contact asked for\n' +
      '  operator  plan, approve, pause, resume, stop, export, erase; the audit\n' +
      '  admin     users and keys',
    examples: [
      ['winback users list', 'who there is, and when each was last seen'],
      ['winback users add ada --role operator', 'prints the link to give to Ada'],
      ['winback users link ada', 'a new link: the password was forgotten'],
      ['winback users role ada --role admin', 'from the next page on'],
      ['winback users disable ada', 'signed out everywhere, and not in again'],
      ['winback users enable ada', 'with the password they had'],
    ],
  })
  const child = (name: string, description: string, run: Run) =>
    spoken(command.command(name).description(description))
      .argument('<name>', 'the user')
      .action((user: string, options: { role?: string } & Spoken, made: Command) =>
        startInWorkspace(start, made, (context) => {
          const speech = speechIn(context, options)
          const asked = { user, role: options.role ?? 'viewer', say: sayIn(speech), ...speech }
          return run(context, asked)
        }),
      )
  const role = () => new Option('--role <role>', 'what the user may do').choices(ROLES).makeOptionMandatory()
  spoken(command.command('list').description('The users there are')).action(
    (options: Spoken, made: Command) => startInWorkspace(start, made, (context) => runList(context, options)),
  )
  child('add', 'Add a user and print the link that sets the password', runAdd).addOption(role())
  child('link', 'Print a new link that sets the password; the one before is void', runLink)
  child('role', 'Change what a user may do', runRole).addOption(role())
  child('disable', 'Sign a user out everywhere, and do not let them in again', (context, asked) =>
    runSwitch(context, asked, true),
  )
  child('enable', 'Let a user in again', (context, asked) => runSwitch(context, asked, false))
  return command
}

/** What a verb about one user was asked, and how it is to answer. */
interface Asked {
  readonly user: string
  readonly role: string
  readonly language: Language
  readonly say: Say
}

type Run = (context: DatabaseContext, asked: Asked) => Promise<Outcome>

const TITLES: Readonly<Record<Language, readonly string[]>> = {
  en: ['name', 'role', 'state', 'last seen'],
  'zh-CN': ['用户名', '角色', '状态', '最近访问'],
}

async function runList(context: DatabaseContext, options: Spoken): Promise<Outcome> {
  const { database, output } = context
  const speech = speechIn(context, options)
  const say = sayIn(speech)
  const found = await listUsers(database)
  const lines = found.map((user) => [
    user.name,
    roleText(user.role, speech.language),
    stateOf(user, say),
    user.seenAt ? speech.moment(user.seenAt) : say('never', '从未'),
  ])
  const columns = TITLES[speech.language].map(left)
  return {
    data: { users: found },
    text:
      found.length === 0
        ? say(
            'Nobody yet: `winback start` prints the link of the first admin.',
            '还没有用户：`winback start` 会显示第一位管理员的链接。',
          )
        : fitted(columns, lines, painter(output.colors.isColorSupported), output.width).join('\n'),
  }
}

/** In Chinese with the name to type, which is English. */
function roleText(role: User['role'], language: Language): string {
  return language === 'en' ? role : `${ROLE_WORDS[role][language]}（${role}）`
}

function stateOf({ disabledAt, hasPassword }: User, say: Say): string {
  if (disabledAt !== null) return say('disabled', '已停用')
  return hasPassword ? say('can sign in', '可以登录') : say('has not used the link', '尚未使用链接')
}

async function runAdd(
  context: DatabaseContext,
  { user: name, role, language, say }: Asked,
): Promise<Outcome> {
  const { database, clock } = context
  if (!isRole(role)) throw new Error(`no such role: ${role}`)
  const user = await addUser(database, { name, role, now: clock.now(), by: operator() })
  const link = await linkFor(context, user)
  const words = roleText(user.role, language)
  const text = say(
    `${user.name} is ${words}. To set a password, once, within a week:`,
    `${user.name} 的角色是${words}。设置密码请打开以下链接，一周内有效，仅可使用一次：`,
  )
  return { data: { user, link }, text: `${text}\n${link}` }
}

async function runLink(context: DatabaseContext, { user: name, say }: Asked): Promise<Outcome> {
  const user = await userNamed(context, name)
  const link = await linkFor(context, user)
  const text = say(
    'To set a new password, once, within a week:',
    '设置新密码请打开以下链接，一周内有效，仅可使用一次：',
  )
  return { data: { user, link }, text: `${text}\n${link}` }
}

async function runRole(
  context: DatabaseContext,
  { user: name, role, language, say }: Asked,
): Promise<Outcome> {
  if (!isRole(role)) throw new Error(`no such role: ${role}`)
  const user = await userNamed(context, name)
  await changeUser(context.database, user.userId, { role, now: context.clock.now() })
  const words = roleText(role, language)
  const text = say(`${user.name} is ${words} from now on.`, `${user.name} 的角色现为${words}。`)
  return { data: { user: { ...user, role } }, text }
}

async function runSwitch(
  context: DatabaseContext,
  { user: name, say }: Asked,
  disabled: boolean,
): Promise<Outcome> {
  const user = await userNamed(context, name)
  await changeUser(context.database, user.userId, { disabled, now: context.clock.now() })
  const text = disabled
    ? say(`${user.name} is signed out and stays out.`, `${user.name} 已在各处退出登录，不能再登录。`)
    : say(`${user.name} may sign in again.`, `${user.name} 可以重新登录。`)
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

/** Where the link leads is where the web is reached; without `web.url`, where it listens on this machine. */
async function linkFor({ database, clock, loaded }: DatabaseContext, user: User): Promise<string> {
  const { web } = loaded.definition
  return `${web.url ?? ownAddressOf(web)}${await issueLink(database, user.userId, clock.now())}`
}
