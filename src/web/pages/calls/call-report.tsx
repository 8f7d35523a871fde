import { Temporal } from 'temporal-polyfill'
import type { CallKey } from '../../../outcomes/calls.ts'
import { OUTCOME_WORDS } from '../../../reports/call-words.ts'
import { sentence } from '../../../reports/words.ts'
import { concludeCall } from '../../../service/calls.ts'
import { outcomeReport } from '../../api/calls.ts'
import { allowScript, type Visit } from '../visit.ts'
import { showTask } from './call.tsx'
import { Keys } from './call-keys.tsx'
import { takeNext, unknown } from './call-taking.ts'

// What an agent says became of a call. What cannot be recorded as it stands comes back with all that was filled in.

/** Records what became of a call, as its form says. */
export async function conclude(visit: Visit, key: CallKey): Promise<Response> {
  const { runtime, form, say, now, user } = visit
  const text = (name: string) => form.get(name)?.trim() || undefined
  const zone = runtime.workspace.timezone
  const report = outcomeReport.safeParse({
    agent: user.name,
    outcome: text('outcome'),
    reason: text('reason'),
    minutes: Number(text('minutes') ?? '0'),
    sentiment: text('sentiment'),
    // Lines as they were typed: a form breaks each by two characters, and the field counted one.
    notes: text('notes')?.replaceAll('\r\n', '\n'),
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
