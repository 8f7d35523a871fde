import type { Guest } from '../visit.ts'

// A form whose sender had been signed out, or had signed in anew, while they filled it in: it goes along through the
// sign-in, and is sent by another press. Who typed for minutes does not type it twice.

/** The name under which the sign-in carries what could not be sent. */
export const UNSENT = 'unsent'

/** The same form again, to be sent by whoever is signed in now. */
export function UnsentForm(props: { guest: Guest; to: string; csrf: string; fields: URLSearchParams }) {
  const { guest, to, csrf, fields } = props
  return (
    <form method="post" action={to}>
      <p class="note bad" role="alert">
        {guest.say(
          'Nothing is recorded yet: you had been signed out. What you filled in is kept.',
          '尚未登记：提交时您已退出登录。您填写的内容已保留。',
        )}
      </p>
      <input type="hidden" name="csrf" value={csrf} />
      {[...fields]
        .filter(([name]) => name !== 'csrf')
        .map(([name, value]) => (
          <input type="hidden" name={name} value={value} />
        ))}
      <div class="row">
        <button type="submit" autofocus>
          {guest.say('Send it now', '立即提交')}
        </button>
        {/* Forms are sent beneath the page they stand on. */}
        <a class="button quiet" href={to.replace(/\/[^/]*$/, '') || '/'}>
          {guest.say('Leave it', '放弃')}
        </a>
      </div>
    </form>
  )
}
