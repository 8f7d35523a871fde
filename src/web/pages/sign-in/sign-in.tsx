import { type Context, Hono } from 'hono'
import type { Child } from 'hono/jsx'
import { languageOf } from '../../../reports/words.ts'
import type { Runtime } from '../../../service/runtime.ts'
import { PASSWORD_LENGTH } from '../../accounts/passwords.ts'
import { openSession, readSession, signIn } from '../../accounts/sessions.ts'
import { linkOwner, usePasswordLink } from '../../accounts/users.ts'
import { recordAudit } from '../../audit.ts'
import { addressOf } from '../../visitor.ts'
import { bare } from '../layout.tsx'
import { Coded } from '../parts.tsx'
import { entered, Refusal, type RefusedForm } from '../refused-form.tsx'
import {
  act,
  endSession,
  type Guest,
  guard,
  guestOf,
  isFromHere,
  type Keep,
  LOST,
  ownPath,
  type PagesDependencies,
  readForm,
  setLanguage,
  setSession,
} from '../visit.ts'
import { knownBrowser, rememberBrowser } from './known-browser.ts'
import { UNSENT, UnsentForm } from './unsent.tsx'

// In and out: the sign-in, the one-time link that sets a password, the language, the sign-out.

export function signInPages(dependencies: PagesDependencies): Hono {
  const { runtime } = dependencies
  const { database, workspace } = runtime
  const show = (
    c: Context,
    guest: Guest,
    title: string,
    body: Child,
    status: 200 | 401 | 403 | 404 | 422 | 429 = 200,
  ) => {
    guard(c)
    return c.html(bare(guest, workspace.name, title, body), status)
  }
  /** The names and passwords of other sites' forms are tried by nobody. */
  const foreign = (c: Context, guest: Guest, title: string) =>
    show(
      c,
      guest,
      title,
      <p class="note bad" role="alert">
        <Coded
          text={guest.say(
            'This form was not sent by this page. Load the page again. Behind a proxy, `web.url` of winback.yaml has to be the address you use.',
            '此表单并非由本页发出，请重新载入页面。使用代理时，winback.yaml 的 `web.url` 须为您访问的地址。',
          )}
        />
      </p>,
      403,
    )

  return new Hono()
    .get('/sign-in', (c) => {
      const guest = guestOf(c, runtime)
      const words = guest.say(
        'Nothing was changed: you had been signed out. Sign in, and send the form again.',
        '未做任何更改：提交时您已退出登录。请登录后重新提交。',
      )
      return show(
        c,
        guest,
        guest.say('Sign in', '登录'),
        <SignInForm
          guest={guest}
          next={c.req.query('next')}
          {...(c.req.query(LOST) === '1' ? { refused: { form: 'sign-in', field: '', words } } : {})}
        />,
      )
    })
    .post('/sign-in', async (c) => {
      const guest = guestOf(c, runtime)
      if (!isFromHere(c, runtime)) return foreign(c, guest, guest.say('Sign in', '登录'))
      const form = await readForm(c)
      const name = form.get('name') ?? ''
      const address = addressOf(c)
      const known = await knownBrowser(c, runtime)
      const given = { name, password: form.get('password') ?? '', address, now: guest.now, known }
      const signed = await signIn(database, given)
      const unsent = form.get(UNSENT)
      if (signed.outcome === 'signed_in') {
        setSession(c, runtime, signed.cookie)
        await rememberBrowser(c, runtime, signed.userId)
        const user = unsent === null ? undefined : await readSession(database, signed.cookie, guest.now)
        if (unsent === null || !user) return c.redirect(ownPath(form.get('next')), 303)
        const fields = new URLSearchParams(unsent)
        return showUnsent(runtime, guest, { to: ownPath(form.get('next')), csrf: user.csrf, fields })
      }
      const waiting = signed.outcome === 'wait'
      if (waiting) c.header('Retry-After', String(signed.seconds))
      const words = waiting
        ? guest.say(
            `Too many failed attempts. Try again in ${signed.seconds} s.`,
            `失败次数过多，请在 ${signed.seconds} 秒后重试。`,
          )
        : guest.say(
            'Name or password is not right. An admin can make a new link for you.',
            '用户名或密码不正确。管理员可以为您生成新的链接。',
          )
      return show(
        c,
        guest,
        guest.say('Sign in', '登录'),
        <SignInForm
          guest={guest}
          next={form.get('next')}
          name={name}
          unsent={unsent}
          refused={{ form: 'sign-in', field: waiting ? '' : 'password', words }}
        />,
        waiting ? 429 : 401,
      )
    })
    .post(
      '/sign-out',
      act(dependencies, 'look', async ({ c }) => {
        await endSession(c, runtime)
        return c.redirect('/sign-in', 303)
      }),
    )
    .get('/language/:language', (c) => {
      setLanguage(c, runtime, languageOf(c.req.param('language')))
      return c.redirect(ownPath(c.req.query('next')), 303)
    })
    .get('/welcome/:secret', async (c) => {
      const guest = guestOf(c, runtime)
      const owner = await linkOwner(database, c.req.param('secret'), guest.now)
      if (!owner) return show(c, guest, deadLink(guest), <DeadLink guest={guest} />, 404)
      return show(c, guest, guest.say('Welcome', '欢迎'), <PasswordForm guest={guest} name={owner.name} />)
    })
    .post('/welcome/:secret', async (c) => {
      const guest = guestOf(c, runtime)
      if (!isFromHere(c, runtime)) return foreign(c, guest, guest.say('Welcome', '欢迎'))
      const form = await readForm(c)
      const secret = c.req.param('secret')
      const owner = await linkOwner(database, secret, guest.now)
      if (!owner) return show(c, guest, deadLink(guest), <DeadLink guest={guest} />, 404)
      const password = form.get('password') ?? ''
      const again = form.get('again') ?? ''
      const address = addressOf(c)
      const entry = { at: guest.now, via: 'web', action: 'user.password', address } as const
      const user =
        password === again
          ? await usePasswordLink(database, secret, password, guest.now, (tx, { name }) =>
              recordAudit(tx, { ...entry, actor: name }),
            )
          : 'differ'
      if (user === 'no_link') return show(c, guest, deadLink(guest), <DeadLink guest={guest} />, 404)
      if (typeof user === 'string') {
        const words =
          user === 'differ'
            ? guest.say('The two are not the same.', '两次输入不一致。')
            : guest.say(
                `Use ${PASSWORD_LENGTH} characters or more.`,
                `请至少使用 ${PASSWORD_LENGTH} 个字符。`,
              )
        return show(
          c,
          guest,
          guest.say('Welcome', '欢迎'),
          <PasswordForm
            guest={guest}
            name={owner.name}
            refused={{ form: 'password', field: user === 'differ' ? 'again' : 'password', words }}
          />,
          422,
        )
      }
      setSession(c, runtime, await openSession(database, user.userId, address, guest.now))
      await rememberBrowser(c, runtime, user.userId)
      return c.redirect('/', 303)
    })
}

/** Keeps a form: through the sign-in of whoever has to sign in, to be sent by another press. */
export function keepUnsent(runtime: Runtime): Keep {
  return (guest, fields, user) => {
    const to = guest.c.req.path
    if (user) return showUnsent(runtime, guest, { to, csrf: user.csrf, fields })
    const words = guest.say(
      'You have been signed out. What you filled in is kept: sign in to send it.',
      '您已退出登录。您填写的内容已保留，请登录后提交。',
    )
    return guest.c.html(
      bare(
        guest,
        runtime.workspace.name,
        guest.say('Sign in', '登录'),
        <SignInForm
          guest={guest}
          next={to}
          unsent={fields.toString()}
          refused={{ form: 'sign-in', field: '', words }}
        />,
      ),
      401,
    )
  }
}

function showUnsent(
  runtime: Runtime,
  guest: Guest,
  form: { to: string; csrf: string; fields: URLSearchParams },
): Response | Promise<Response> {
  guard(guest.c)
  const title = guest.say('Not recorded yet', '尚未登记')
  return guest.c.html(bare(guest, runtime.workspace.name, title, <UnsentForm guest={guest} {...form} />))
}

function deadLink(guest: Guest): string {
  return guest.say('This link is used up', '此链接已失效')
}

function DeadLink({ guest }: { guest: Guest }) {
  return (
    <>
      <p>
        {guest.say(
          'It works once, within seven days, and a newer one replaces it. An admin makes another in Settings; so does',
          '链接只能使用一次，七天内有效，新链接会使旧链接失效。管理员可在“设置”中重新生成，也可运行',
        )}{' '}
        <code>winback users link NAME</code>
      </p>
      <p>
        <a href="/sign-in">{guest.say('Sign in', '登录')}</a>
      </p>
    </>
  )
}

function SignInForm(props: {
  guest: Guest
  next?: string | null | undefined
  name?: string
  /** A form that is to be sent once they are in; `next` is where to. */
  unsent?: string | null
  refused?: RefusedForm
}) {
  const { say } = props.guest
  // Whoever comes begins with the name, whoever mistyped the password with that.
  const again = props.refused?.field === 'password'
  return (
    <form method="post" action="/sign-in">
      <Refusal refused={props.refused} />
      <input type="hidden" name="next" value={ownPath(props.next)} />
      {props.unsent == null ? null : <input type="hidden" name={UNSENT} value={props.unsent} />}
      <label>
        {say('Name', '用户名')}
        <input
          name="name"
          value={props.name ?? ''}
          autocomplete="username"
          required
          autofocus={!again}
          autocapitalize="none"
        />
      </label>
      <label>
        {say('Password', '密码')}
        <input
          name="password"
          type="password"
          autocomplete="current-password"
          required
          {...entered(props.refused, 'password')}
        />
      </label>
      <button type="submit">{say('Sign in', '登录')}</button>
    </form>
  )
}

function PasswordForm({ guest, name, refused }: { guest: Guest; name: string; refused?: RefusedForm }) {
  const { say } = guest
  return (
    <form method="post">
      <Refusal refused={refused} />
      <p>
        {say('You will sign in as', '您的用户名是')} <strong>{name}</strong>
      </p>
      {/* For password managers: they keep the two together. */}
      <input name="name" value={name} autocomplete="username" hidden />
      <label>
        {say('A password of your own', '设置密码')}
        <small>
          {say(
            `${PASSWORD_LENGTH} characters or more; a few words will do.`,
            `至少 ${PASSWORD_LENGTH} 个字符，几个词即可。`,
          )}
        </small>
        <input
          name="password"
          type="password"
          autocomplete="new-password"
          required
          minlength={PASSWORD_LENGTH}
          {...entered(refused, 'password')}
        />
      </label>
      <label>
        {say('Once more', '再次输入')}
        <input
          name="again"
          type="password"
          autocomplete="new-password"
          required
          {...entered(refused, 'again')}
        />
      </label>
      <button type="submit">{say('Set it and go on', '设置并继续')}</button>
    </form>
  )
}
