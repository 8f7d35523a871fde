import { type Context, Hono } from 'hono'
import { deleteCookie, getCookie, setCookie } from 'hono/cookie'
import { Temporal } from 'temporal-polyfill'
import { MASKED } from '../../config/masking.ts'
import { type Call, type CallKey, callIdOf, isHeld, readCallId } from '../../outcomes/calls.ts'
import { KIND_WORDS, OUTCOME_WORDS, OVER_WORDS } from '../../reports/call-words.ts'
import { sentence } from '../../reports/words.ts'
import { type Also, concludeCall, giveCallBack, showCalls, showDesk, takeCall } from '../../service/calls.ts'
import { outcomeReport } from '../api/calls.ts'
import { showTask } from './call.tsx'
import { dueText, quietText, spanText } from './call-words.ts'
import { KEYS_PATH } from './keys.ts'
import { Act, Empty, Table } from './parts.tsx'
import { keepUnsent } from './sign-in.tsx'
import { act, allowScript, type Keep, type PagesDependencies, page, type Visit } from './visit.ts'

// An agent's queue: what is to be called, the most urgent first; one key takes the next. A call belongs to whoever took
// it, and its number is shown whole to them alone.

/** Lines of the queue that are shown; nobody works further down it in one go. */
const LINES = 50
const KEYS_COOKIE = 'winback_keys'

export function callPages(dependencies: PagesDependencies): Hono {
  const { runtime } = dependencies
  const keyOf = (visit: Visit) => readCallId(visit.c.req.param('id') ?? '')
  const doing = (work: (visit: Visit, key: CallKey) => Promise<Response>, keep?: Keep) =>
    act(
      dependencies,
      'make_calls',
      async (visit) => {
        const key = keyOf(visit)
        return key ? await work(visit, key) : visit.go('/calls', unknown(visit))
      },
      keep,
    )
  return new Hono()
    .get('/calls', page(dependencies, 'make_calls', showQueue))
    .post('/calls/next', act(dependencies, 'make_calls', takeNext))
    .get(
      '/calls/:id',
      page(dependencies, 'make_calls', async (visit) => {
        const key = keyOf(visit)
        allowScript(visit.c)
        return (
          (key && (await showTask(visit, key, <Keys visit={visit} />))) ?? visit.go('/calls', unknown(visit))
        )
      }),
    )
    .post('/calls/:id/take', doing(take))
    .post(
      '/calls/:id/release',
      doing(async (visit, key) => {
        const released = await giveCallBack(runtime, key, visit.user.name, (tx) =>
          visit.audit('call.release', `contact ${key.contactId}`, null, tx),
        )
        return visit.go(
          '/calls',
          released ? visit.say('It is in the queue again.', '已放回队列。') : unknown(visit),
        )
      }),
    )
    .post('/calls/:id/outcome', doing(conclude, keepUnsent(runtime)))
}

function unknown({ say }: Visit): string {
  return say('There is no such call any more. The queue is up to date.', '这通电话已不存在，队列已刷新。')
}

/** Records that the user has a call now. */
function taking(visit: Visit, { contactId }: CallKey): Also {
  return (tx) => visit.audit('call.take', `contact ${contactId}`, null, tx)
}

async function take(visit: Visit, key: CallKey): Promise<Response> {
  const { say, language } = visit
  const answer = await takeCall(visit.runtime, key, visit.user.name, taking(visit, key))
  switch (answer.outcome) {
    case 'claimed':
      return visit.go(`/calls/${callIdOf(key)}`)
    case 'taken':
      return visit.go(
        '/calls',
        say(
          `${answer.by} took this call a moment before you. Take the next one.`,
          `${answer.by} 刚刚先接手了这通电话，请取下一通。`,
        ),
      )
    case 'over': {
      const why = sentence(OVER_WORDS, answer.by, language)
      return visit.go('/calls', say(`Nobody need call any more: ${why}.`, `无需再打：${why}。`))
    }
    case 'paused':
      return visit.go(
        '/calls',
        say(
          'Calls of this campaign are paused. This one comes again once they are resumed.',
          '此活动的电话已暂停，恢复后会再次出现。',
        ),
      )
    case 'quiet_hours':
      return visit.go('/calls', quietText(visit, answer.until))
    case 'unknown':
      return visit.go('/calls', unknown(visit))
  }
}

/** The agent's own call first: who holds one is not given another. Else the first that nobody is quicker to take. */
async function takeNext(visit: Visit): Promise<Response> {
  const { runtime, user } = visit
  const [held] = await showCalls(runtime, { claimedBy: user.name, limit: 1 })
  if (held) return visit.go(`/calls/${callIdOf(held)}`)
  for (const call of await showCalls(runtime, { free: true, limit: LINES })) {
    const answer = await takeCall(runtime, call, user.name, taking(visit, call))
    if (answer.outcome === 'claimed') return visit.go(`/calls/${callIdOf(call)}`)
  }
  return visit.go('/calls', visit.say('Nothing is left to be called now.', '现在没有需要拨打的电话。'))
}

async function conclude(visit: Visit, key: CallKey): Promise<Response> {
  const { runtime, form, say, now, user } = visit
  const text = (name: string) => form.get(name)?.trim() || undefined
  const zone = runtime.workspace.timezone
  const report = outcomeReport.safeParse({
    agent: user.name,
    outcome: text('outcome'),
    reason: text('reason'),
    minutes: Number(text('minutes') ?? '0'),
    sentiment: text('sentiment'),
    notes: text('notes'),
    next_attempt_at: momentIn(text('next'), zone),
    phone: text('phone'),
    id: text('attempt'),
  })
  if (!report.success) return await showRefused(visit, key, String(report.error.issues[0]?.path[0]))
  const wrongTime = problemOfNext(report.data, now)
  if (wrongTime) return await showRefused(visit, key, wrongTime)
  const { minutes, next_attempt_at: next, id, agent, ...said } = report.data
  const attempt = {
    ...said,
    by: agent,
    at: now,
    eventId: `web ${agent} ${id ?? now.toISOString()}`,
    seconds: Math.round(minutes * 60),
    nextAttemptAt: next === undefined ? undefined : new Date(next),
  }
  const answer = await concludeCall(runtime, key, attempt, (tx) =>
    visit.audit('call.outcome', `contact ${key.contactId}`, { outcome: said.outcome }, tx),
  )
  if (answer.outcome === 'unknown') return visit.go('/calls', unknown(visit))
  if (answer.outcome === 'repeated' && answer.before !== undefined) {
    return await showRepeated(visit, key, answer.before)
  }
  if (form.get('then') === 'next') return await takeNext(visit)
  const ended = answer.outcome === 'recorded' && answer.ends !== undefined
  return visit.go(
    '/calls',
    ended
      ? say('Recorded. They hear nothing more from us.', '已登记，今后不再打扰对方。')
      : say('Recorded.', '已登记。'),
  )
}

/** A time that is past, or that nothing would come of: whoever chose it means to call then. */
function problemOfNext(
  { outcome, next_attempt_at: next }: ReturnType<typeof outcomeReport.parse>,
  now: Date,
): 'next_attempt_at' | 'needless_next' | undefined {
  if (next === undefined) return undefined
  if (new Date(next) <= now) return 'next_attempt_at'
  return outcome === 'no_answer' || outcome === 'call_back' ? undefined : 'needless_next'
}

/** What can be wrong with a report, by the field of the API, with the field of the form. */
const WRONG: Readonly<Record<string, readonly [field: string, en: string, zh: string]>> = {
  outcome: ['outcome', 'Choose what became of the call.', '请选择通话结果。'],
  reason: ['reason', 'Choose a reason of the list.', '请选择列表中的原因。'],
  sentiment: ['sentiment', 'Choose how they sounded, of the three.', '请选择三种态度之一。'],
  minutes: ['minutes', 'Minutes are a number from 0 to 600.', '通话分钟数应为 0 至 600 的数字。'],
  notes: ['notes', 'Notes have at most 5,000 characters.', '备注最多 5,000 字。'],
  next_attempt_at: ['next', 'Choose a time that is still to come.', '请选择将来的时间。'],
  needless_next: [
    'next',
    'They are called again after “No answer” and “Call again later” alone: choose one of these, or no time.',
    '只有“无人接听”和“约定再打”才会再次拨打：请选择其中之一，或不填时间。',
  ],
}

async function showRefused(visit: Visit, key: CallKey, wrong: string): Promise<Response> {
  const [field, ...words] = WRONG[wrong] ?? [
    '',
    `Not recorded: look at ${wrong} again.`,
    `未登记：请检查 ${wrong}。`,
  ]
  return await showAgain(visit, key, field, words)
}

/** Another report by a form that was sent before, as from a second tab: it is an attempt of its own if they say so again. */
async function showRepeated(visit: Visit, key: CallKey, before: string): Promise<Response> {
  const outcome = (language: 'en' | 'zh-CN') => sentence(OUTCOME_WORDS, before, language)
  return await showAgain(visit, key, 'attempt', [
    `This call was recorded before, as “${outcome('en')}”, and what stands here was not. To add it, record it once more.`,
    `这通电话此前已登记为“${outcome('zh-CN')}”，此处填写的内容尚未登记。如需补充或更正，请再次登记。`,
  ])
}

/** The call with the report as it was filled in, and what is wrong of it: notes of minutes are not typed twice. */
async function showAgain(
  visit: Visit,
  key: CallKey,
  field: string,
  words: readonly [en: string, zh: string],
): Promise<Response> {
  allowScript(visit.c)
  const refused = { form: 'report', field, words: visit.say(...words) } as const
  return (await showTask(visit, key, <Keys visit={visit} />, refused)) ?? visit.go('/calls', unknown(visit))
}

/** A form's `2026-03-10T10:00`, meant in `zone`, as an instant with its offset; what is no time stays as it is. */
function momentIn(text: string | undefined, zone: string): string | undefined {
  if (text === undefined) return undefined
  try {
    const instant = Temporal.PlainDateTime.from(text).toZonedDateTime(zone).toInstant()
    return instant.toString()
  } catch {
    return text
  }
}

async function showQueue(visit: Visit): Promise<Response> {
  const { say, runtime, user, now, c } = visit
  rememberKeys(c)
  allowScript(c)
  const { mine, all, ...desk } = await showDesk(runtime, user.name, LINES)
  // Their own stays theirs for as long as nobody takes it, however long ago they took it.
  const isMine = (call: Call) => call.state === 'claimed' && call.claimedBy === user.name
  const free = desk.free.filter((call) => !isMine(call))
  const others = all.filter((call) => isHeld(call, now) && !isMine(call))
  const waiting = all.filter((call) => !(isMine(call) || isHeld(call, now)))
  const paused = waiting.filter((call) => call.paused).length
  // Not what is left of all: of those that are free, only the first are listed.
  const later = waiting.filter(
    (call) => !call.paused && (call.nextAttemptAt > now || call.quietUntil !== null),
  ).length
  return await visit.show(
    say('Calls', '电话'),
    <>
      <div data-live>
        {free.length + mine.length === 0 ? null : (
          <Act
            visit={visit}
            to="/calls/next"
            words={
              mine.length > 0 ? say('Go on with yours', '继续我的电话') : say('Take the next', '接手下一通')
            }
            hotkey="n"
          />
        )}
        {mine.length === 0 ? null : (
          <div class="card">
            <h2>{say('Yours', '我的')}</h2>
            <Queue visit={visit} calls={mine} label={say('Yours', '我的')} />
          </div>
        )}
        {free.length > 0 ? (
          <div class="card">
            <h2>{say('To be called now', '待拨打')}</h2>
            <Queue visit={visit} calls={free} label={say('To be called now', '待拨打')} />
            {free.length === LINES ? (
              <p class="soft">{say(`The first ${LINES}.`, `仅列前 ${LINES} 通。`)}</p>
            ) : null}
          </div>
        ) : (
          <NothingFree visit={visit} later={later} paused={paused} />
        )}
        {others.length + later + paused === 0 ? null : (
          <p class="soft">
            {say(
              `${others.length} taken by others, ${later} for later${paused > 0 ? `, ${paused} paused` : ''}.`,
              `他人处理中 ${others.length} 通，稍后 ${later} 通${paused > 0 ? `，已暂停 ${paused} 通` : ''}。`,
            )}
          </p>
        )}
      </div>
      <Keys visit={visit} />
    </>,
  )
}

function NothingFree({ visit, later, paused }: { visit: Visit; later: number; paused: number }) {
  const { say, runtime } = visit
  if (runtime.workspace.channels.callback === undefined) {
    return (
      <Empty title={say('This workspace makes no calls', '此工作区不使用电话')}>
        <p>
          {say('Calls come from steps with', '电话任务来自带有以下设置的步骤：')}{' '}
          <code>channel: callback</code>
          {say('; the channel is described in docs/channels.md.', '；渠道说明见 docs/channels.md。')}
        </p>
      </Empty>
    )
  }
  return (
    <Empty title={say('Nobody is to be called now', '现在没有要拨打的电话')}>
      <p>
        {later === 0 && paused > 0
          ? say(
              'What waits is paused; it comes back once it is resumed.',
              '等待中的电话已暂停，恢复后会再次出现。',
            )
          : later > 0
            ? say(
                'The next ones come due later; this page keeps itself current.',
                '其余电话稍后到时，本页会自动刷新。',
              )
            : say(
                'Whom a campaign wants called stands here as soon as it is due.',
                '活动需要回访的人到时会出现在这里。',
              )}
      </p>
      <p>
        <a href="/contacts">{say('Look somebody up', '查找联系人')}</a>
      </p>
    </Empty>
  )
}

function Queue({ visit, calls, label }: { visit: Visit; calls: readonly Call[]; label: string }) {
  const { say, language, now } = visit
  return (
    <Table
      label={label}
      columns={[
        { title: say('Who', '联系人') },
        { title: say('Time left', '时限') },
        { title: say('Why', '缘由') },
        { title: say('Tier', '阶段') },
        { title: say('Telephone', '电话') },
        { title: say('Attempts', '已尝试'), num: true },
        { title: say('Priority', '优先级'), num: true },
      ]}
      rows={calls.map((call) => {
        const due = dueText(call, now, language)
        return [
          <a href={`/calls/${callIdOf(call)}`} data-row>
            {call.firstName ?? call.externalId}
          </a>,
          <span class={`tag ${due.tone}`}>{due.text}</span>,
          whyText(visit, call),
          call.tier,
          call.phone === null ? say('none', '无') : <span class="unbroken">{MASKED.phone(call.phone)}</span>,
          String(call.attempts),
          String(call.priority),
        ]
      })}
    />
  )
}

/** `to win back · silent for 12 days`. */
function whyText({ say, language, now }: Visit, call: Call): string {
  const kind = KIND_WORDS[call.kind][language]
  if (call.kind !== 'recall' || call.silentSince === null) return kind
  const span = spanText(now.getTime() - call.silentSince.getTime(), language)
  return `${kind} · ${say(`silent for ${span}`, `沉默 ${span}`)}`
}

/** What the keys do, and how to be rid of them: a single letter may be in the way of other software. */
function Keys({ visit }: { visit: Visit }) {
  const { say, c } = visit
  if (
    c.req.query('keys') === 'off' ||
    (c.req.query('keys') !== 'on' && getCookie(c, KEYS_COOKIE) === 'off')
  ) {
    return (
      <p class="soft keys">
        <a href="/calls?keys=on">{say('Turn the keys on', '启用快捷键')}</a>
      </p>
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

function rememberKeys(c: Context): void {
  const wanted = c.req.query('keys')
  if (wanted === 'on') deleteCookie(c, KEYS_COOKIE, { path: '/' })
  if (wanted === 'off') {
    setCookie(c, KEYS_COOKIE, 'off', { path: '/', httpOnly: true, sameSite: 'Lax', maxAge: 365 * 86_400 })
  }
}
