import { Hono } from 'hono'
import { LONGEST_TYPED } from '../../config/typed-text.ts'
import { type Transaction, transaction } from '../../database/connect.ts'
import { type ListedKey, listSigningKeys, rotateSigningKey } from '../../database/signing-keys.ts'
import { messageOf, WinbackError } from '../../errors.ts'
import { isRole, ROLES } from '../accounts/roles.ts'
import { addUser, changeUser, findUser, issueLink, listUsers, type User } from '../accounts/users.ts'
import { type ApiKey, createApiKey, listApiKeys, revokeApiKey, SCOPES, type Scope } from '../api-keys.ts'
import { Act, Coded, Table } from './parts.tsx'
import { refusalWords } from './refusal-words.ts'
import { entered, kept, marked, Refusal, type RefusedForm, ticked } from './refused-form.tsx'
import { ROLE_MEANINGS, ROLE_WORDS } from './role-words.ts'
import { SCOPE_WORDS } from './scope-words.ts'
import { act, type PagesDependencies, page, type Visit } from './visit.ts'

// Users, keys, channels. What is shown once (a link, a key) is shown in the note of the next page.

type Wrong = RefusedForm<'user' | 'key'>

const wrong = (form: Wrong['form'], field: string, words: string): Wrong => ({ form, field, words })

/** A name that cannot be taken, said beside its field. @throws what is anything else */
const refusedAs =
  ({ language }: Visit, form: Wrong['form']) =>
  (error: unknown): Wrong => {
    if (error instanceof WinbackError) return wrong(form, 'name', refusalWords(error, language)[0])
    throw error
  }

export function settingsPages(dependencies: PagesDependencies): Hono {
  const { runtime } = dependencies
  const { database } = runtime
  const on = (path: string, work: (visit: Visit) => Promise<string | Wrong>) =>
    [
      path,
      act(dependencies, 'administer', async (visit) => {
        const done = await work(visit)
        return typeof done === 'string' ? visit.go('/settings', done) : await showSettings(visit, done)
      }),
    ] as const
  const linkFor = async (visit: Visit, user: User, tx: Transaction) => {
    const base = runtime.workspace.web.url ?? new URL(visit.c.req.url).origin
    const link = `${base}${await issueLink(tx, user.userId, visit.now)}`
    return visit.say(
      `For ${user.name}, once, within a week: ${link}`,
      `给 ${user.name} 的链接（一周内有效，仅可使用一次）：${link}`,
    )
  }
  const named = async (visit: Visit, work: (user: User) => Promise<string>): Promise<string> => {
    const user = await findUser(database, visit.form.get('name') ?? '')
    return user ? await work(user) : visit.say('There is no such user.', '没有此用户。')
  }
  return new Hono()
    .get(
      '/settings',
      page(dependencies, 'administer', (visit) => showSettings(visit)),
    )
    .post(
      ...on('/settings/users', async (visit) => {
        const role = visit.form.get('role') ?? ''
        if (!isRole(role)) return wrong('user', 'role', visit.say('Choose a role.', '请选择角色。'))
        const name = visit.form.get('name') ?? ''
        return await transaction(database, async (tx) => {
          const user = await addUser(tx, { name, role, now: visit.now, by: visit.user.name })
          await visit.audit('user.add', `user ${user.name}`, { role }, tx)
          return await linkFor(visit, user, tx)
        }).catch(refusedAs(visit, 'user'))
      }),
    )
    .post(
      ...on('/settings/users/link', (visit) =>
        named(visit, async (user) => {
          return await transaction(database, async (tx) => {
            await visit.audit('user.link', `user ${user.name}`, null, tx)
            return await linkFor(visit, user, tx)
          })
        }),
      ),
    )
    .post(
      ...on('/settings/users/switch', (visit) =>
        named(visit, async (user) => {
          // As the button said: pressed twice, or on a page from before another admin's press, it does not turn it round.
          const disabled = visit.form.get('to') === 'out'
          if (disabled !== (user.disabledAt !== null)) {
            const action = disabled ? 'user.disable' : 'user.enable'
            const record = (tx: Transaction) => visit.audit(action, `user ${user.name}`, null, tx)
            await changeUser(database, user.userId, { disabled, now: visit.now, record })
          }
          return disabled
            ? visit.say(`${user.name} is out.`, `${user.name} 已停用。`)
            : visit.say(`${user.name} may come in again.`, `${user.name} 已重新启用。`)
        }),
      ),
    )
    .post(
      ...on('/settings/keys', async (visit) => {
        const { form, say, now, user } = visit
        const scopes = form.getAll('scope').filter((scope): scope is Scope => Object.hasOwn(SCOPES, scope))
        const name = form.get('name')?.trim() ?? ''
        if (name === '') return wrong('key', 'name', say('Say who will use it.', '请填写使用者。'))
        if (scopes.length === 0)
          return wrong('key', 'scope', say('Choose what the key may do.', '请选择密钥的权限。'))
        return await transaction(database, async (tx) => {
          const { text, keyId } = await createApiKey(tx, { name, scopes, now, by: user.name })
          await visit.audit('key.create', `key ${keyId}`, { name, scopes }, tx)
          return say(`Shown this once: ${text}`, `仅显示一次：${text}`)
        }).catch(refusedAs(visit, 'key'))
      }),
    )
    .post(
      ...on('/settings/keys/revoke', async (visit) => {
        const keyId = visit.form.get('key') ?? ''
        return await transaction(database, async (tx) => {
          const key = await revokeApiKey(tx, keyId, visit.now)
          if (!key) return visit.say('There is no such key.', '没有此密钥。')
          await visit.audit('key.revoke', `key ${keyId}`, null, tx)
          return visit.say('Revoked.', '已吊销。')
        })
      }),
    )
    .post(
      ...on('/settings/signing-keys', async (visit) => {
        const keyId = await transaction(database, async (tx) => {
          const made = await rotateSigningKey(tx, visit.now)
          await visit.audit('signing_key.rotate', `signing key ${made}`, null, tx)
          return made
        })
        return visit.say(
          `Key ${keyId} signs from now on; links that are out stay good.`,
          `今后由密钥 ${keyId} 签名，已发出的链接仍有效。`,
        )
      }),
    )
}

async function showSettings(visit: Visit, refused?: Wrong): Promise<Response> {
  const { database } = visit.runtime
  const asked = visit.c.req.query('check') === '1'
  return await visit.show(
    visit.say('Settings', '设置'),
    <>
      <Users
        visit={visit}
        users={await listUsers(database)}
        refused={refused?.form === 'user' ? refused : undefined}
      />
      <Keys
        visit={visit}
        keys={await listApiKeys(database)}
        refused={refused?.form === 'key' ? refused : undefined}
      />
      <SigningKeys visit={visit} signing={await listSigningKeys(database)} />
      <Channels visit={visit} checks={asked ? await checkChannels(visit) : undefined} />
    </>,
    refused === undefined ? 200 : 422,
  )
}

interface Section {
  readonly visit: Visit
  /** What of the section's form could not be taken. */
  readonly refused?: Wrong | undefined
}

function Users({ visit, users, refused }: Section & { users: readonly User[] }) {
  const { say, form, language } = visit
  return (
    <section class="card" aria-label={say('Users', '用户')}>
      <h2>{say('Users', '用户')}</h2>
      <Table
        label={say('Users', '用户')}
        columns={[
          { title: say('Name', '用户名') },
          { title: say('Role', '角色') },
          { title: say('Last seen', '最近访问') },
          { title: '' },
        ]}
        rows={users.map((each) => [
          each.name,
          <>
            {ROLE_WORDS[each.role][language]}{' '}
            {each.disabledAt === null ? null : <span class="tag bad">{say('out', '停用')}</span>}
          </>,
          lastOf(visit, each.seenAt),
          <>
            <Act
              visit={visit}
              to="/settings/users/link"
              words={say('New link', '新链接')}
              kind="plain"
              fields={{ name: each.name }}
            />
            {each.userId === visit.user.userId ? null : (
              <Act
                visit={visit}
                to="/settings/users/switch"
                words={each.disabledAt === null ? say('Shut out', '停用') : say('Let in', '启用')}
                kind="plain"
                fields={{ name: each.name, to: each.disabledAt === null ? 'out' : 'in' }}
              />
            )}
          </>,
        ])}
      />
      <details open={refused !== undefined}>
        <summary>{say('Add a user', '添加用户')}</summary>
        <Act visit={visit} to="/settings/users" words={say('Add, and show the link', '添加并显示链接')}>
          <Refusal refused={refused} />
          <NameField visit={visit} refused={refused} words={say('Name', '用户名')} />
          <fieldset>
            <legend>{say('Role', '角色')}</legend>
            {ROLES.map((role, at) => (
              <label class="tick">
                <input
                  type="radio"
                  name="role"
                  value={role}
                  required
                  checked={ticked(refused, 'role', role, form)}
                  {...(at === 0 ? entered : marked)(refused, 'role')}
                />
                {ROLE_WORDS[role][language]} <small>{ROLE_MEANINGS[role][language]}</small>
              </label>
            ))}
          </fieldset>
        </Act>
      </details>
    </section>
  )
}

/** What a user or a key is called. */
function NameField({ visit, refused, words }: Section & { words: string }) {
  return (
    <label>
      {words}
      <input
        name="name"
        required
        maxlength={LONGEST_TYPED.name}
        autocomplete="off"
        {...kept(refused, 'name', visit.form)}
      />
    </label>
  )
}

function Keys({ visit, keys, refused }: Section & { keys: readonly ApiKey[] }) {
  const { say, form, language } = visit
  return (
    <section class="card" aria-label={say('API keys', 'API 密钥')}>
      <h2>{say('API keys', 'API 密钥')}</h2>
      {keys.length === 0 ? (
        <p class="soft">
          {say('None yet. Your shop needs one to send events.', '暂无。您的系统需要密钥来发送事件。')}
        </p>
      ) : (
        <Table
          label={say('API keys', 'API 密钥')}
          columns={[
            { title: say('Name', '名称') },
            { title: say('May', '权限') },
            { title: say('Last used', '最近使用') },
            { title: '' },
          ]}
          rows={keys.map((key) => [
            key.name,
            key.scopes.join(', '),
            lastOf(visit, key.lastUsedAt),
            key.revokedAt === null ? (
              <details>
                <summary>{say('Revoke', '吊销')}</summary>
                <Act
                  visit={visit}
                  to="/settings/keys/revoke"
                  words={say('Revoke for good', '永久吊销')}
                  kind="danger"
                  fields={{ key: key.keyId }}
                >
                  <p>{say('Whoever uses it is refused from then on.', '使用此密钥的程序将立即被拒绝。')}</p>
                </Act>
              </details>
            ) : (
              <span class="tag bad">{say('revoked', '已吊销')}</span>
            ),
          ])}
        />
      )}
      <details open={refused !== undefined}>
        <summary>{say('Make a key', '创建密钥')}</summary>
        <Act visit={visit} to="/settings/keys" words={say('Make it, and show it once', '创建并显示一次')}>
          <Refusal refused={refused} />
          <NameField visit={visit} refused={refused} words={say('Who will use it', '使用者')} />
          <p>
            <a href="/api">{say('What the API offers', 'API 说明')}</a>
          </p>
          <fieldset>
            <legend>{say('It may', '权限')}</legend>
            {Object.entries(SCOPE_WORDS).map(([scope, words], at) => (
              <label class="tick">
                <input
                  type="checkbox"
                  name="scope"
                  value={scope}
                  checked={ticked(refused, 'scope', scope, form)}
                  {...(at === 0 ? entered : marked)(refused, 'scope')}
                />
                {scope} <small>{words[language]}</small>
              </label>
            ))}
          </fieldset>
        </Act>
      </details>
    </section>
  )
}

/** When somebody was here, or something was used. */
function lastOf({ say, speech }: Visit, at: Date | null) {
  return at === null ? say('never', '从未') : <time>{speech.moment(at)}</time>
}

function SigningKeys({ visit, signing }: { visit: Visit; signing: readonly ListedKey[] }) {
  const { say } = visit
  return (
    <section class="card" aria-label={say('Signing keys', '签名密钥')}>
      <h2>{say('Signing keys of links', '链接签名密钥')}</h2>
      <p>
        {signing
          .map(
            (key) =>
              `${say('Key', '密钥')} ${key.keyId}${say(': ', '：')}${key.current ? say('signs new links', '签署新链接') : key.retiredAt === null ? say('still verifies old links', '仍可验证旧链接') : say('retired', '已停用')}`,
          )
          .join(' · ')}
      </p>
      <Act visit={visit} to="/settings/signing-keys" words={say('Make a new one', '更换')} kind="quiet" />
    </section>
  )
}

function Channels({ visit, checks }: { visit: Visit; checks: readonly Check[] | undefined }) {
  const { say, runtime } = visit
  return (
    <section class="card" aria-label={say('Channels', '渠道')}>
      <h2>{say('Channels', '渠道')}</h2>
      <p>{[...runtime.worker.channels.keys()].map((name) => visit.speech.channel(name)).join(' · ')}</p>
      {checks === undefined ? (
        <a class="button quiet" href="/settings?check=1">
          {say('Ask each whether it works', '逐一检查')}
        </a>
      ) : (
        <ul>
          {checks.map(({ channel, words, good }) => (
            <li>
              <strong>{visit.speech.channel(channel)}</strong>{' '}
              <span class={good ? 'good' : 'bad'}>
                <Coded text={words} />
              </span>
            </li>
          ))}
        </ul>
      )}
    </section>
  )
}

interface Check {
  readonly channel: string
  readonly words: string
  readonly good: boolean
}

/** What each channel says of itself: asks its provider, sends nothing. */
async function checkChannels({ runtime }: Visit): Promise<Check[]> {
  return await Promise.all(
    [...runtime.worker.channels].map(async ([channel, opened]) => {
      try {
        return { channel, words: String(await opened.check()), good: true }
      } catch (error) {
        return { channel, words: messageOf(error), good: false }
      }
    }),
  )
}
