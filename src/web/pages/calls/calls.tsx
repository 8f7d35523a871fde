import { Hono } from 'hono'
import { MASKED } from '../../../config/masking.ts'
import { type Call, type CallKey, callIdOf, isHeld, readCallId } from '../../../outcomes/calls.ts'
import { KIND_WORDS } from '../../../reports/call-words.ts'
import { giveCallBack, showDesk } from '../../../service/calls.ts'
import { Act, Empty, Table } from '../parts.tsx'
import { keepUnsent } from '../sign-in/sign-in.tsx'
import { act, allowScript, type Keep, type PagesDependencies, page, type Visit } from '../visit.ts'
import { showTask } from './call.tsx'
import { Keys, keyOf, rememberKeys } from './call-keys.tsx'
import { conclude } from './call-report.tsx'
import { LINES, take, takeNext, unknown } from './call-taking.ts'
import { dueText, spanText } from './call-words.ts'

// An agent's queue: what is to be called, the most urgent first; one key takes the next. A call belongs to whoever took
// it, and its number is shown whole to them alone.

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
            hotkey={keyOf(visit, 'n')}
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
