import type { Context } from 'hono'
import { deleteCookie, getCookie, setCookie } from 'hono/cookie'
import { KEYS_PATH } from '../keys.ts'
import type { Visit } from '../visit.ts'

const KEYS_COOKIE = 'winback_keys'

/** What the keys do, and how to be rid of them: a single letter may be in the way of other software. */
export function Keys({ visit }: { visit: Visit }) {
  const { say } = visit
  if (!areWanted(visit)) {
    return (
      <>
        <p class="soft keys">
          <a href="/calls?keys=on">{say('Turn the keys on', '启用快捷键')}</a>
        </p>
        {/* The queue stays current nevertheless. */}
        <script src={KEYS_PATH} data-keys="off" defer></script>
      </>
    )
  }
  const keys = [
    ['n', say('next call', '下一通')],
    ['j k', say('down, up', '下、上')],
    ['Enter', say('open, press', '打开、确认')],
    ['1–7', say('what became of it', '通话结果')],
    ['r', say('reason', '原因')],
    ['m', say('minutes', '分钟')],
    ['o', say('notes', '备注')],
    ['Esc', say('out of a field', '离开输入框')],
    ['Ctrl Enter', say('record', '登记')],
    ['b', say('back to the queue', '返回队列')],
  ]
  return (
    <>
      <p class="soft keys">
        {keys.map(([key, meaning]) => (
          <span>
            <kbd>{key}</kbd> {meaning}{' '}
          </span>
        ))}
        <a href="/calls?keys=off">{say('Turn the keys off', '停用快捷键')}</a>
      </p>
      <script src={KEYS_PATH} defer></script>
    </>
  )
}

/** Whether the agent has not turned the keys off: by the address, else as the browser keeps it. */
function areWanted({ c }: Visit): boolean {
  const asked = c.req.query('keys')
  return asked === undefined ? getCookie(c, KEYS_COOKIE) !== 'off' : asked !== 'off'
}

/** The key, where keys are wanted: a hint at one that does nothing is none. */
export function keyOf(visit: Visit, key: string): string | undefined {
  return areWanted(visit) ? key : undefined
}

/** Keeps in the browser whether the keys are wanted, where the address says so. */
export function rememberKeys(c: Context): void {
  const wanted = c.req.query('keys')
  if (wanted === 'on') deleteCookie(c, KEYS_COOKIE, { path: '/' })
  if (wanted === 'off') {
    setCookie(c, KEYS_COOKIE, 'off', { path: '/', httpOnly: true, sameSite: 'Lax', maxAge: 365 * 86_400 })
  }
}
