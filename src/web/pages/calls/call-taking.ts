import { type CallKey, callIdOf } from '../../../outcomes/calls.ts'
import { OVER_WORDS } from '../../../reports/call-words.ts'
import { sentence } from '../../../reports/words.ts'
import { type Also, showCalls, takeCall } from '../../../service/calls.ts'
import type { Visit } from '../visit.ts'
import { quietText } from './call-words.ts'

// How an agent comes by a call: this one, or the first that nobody is quicker to take.

/** Lines of the queue that are shown, and tried; nobody works further down it in one go. */
export const LINES = 50

/** What is said of a call that is gone. */
export function unknown({ say }: Visit): string {
  return say('There is no such call any more. The queue is up to date.', '这通电话已不存在，队列已刷新。')
}

/** Records that the user has a call now. */
function taking(visit: Visit, { contactId }: CallKey): Also {
  return (tx) => visit.audit('call.take', `contact ${contactId}`, null, tx)
}

/** Gives the user a call, and leads to it; else to the queue, with the reason. */
export async function take(visit: Visit, key: CallKey): Promise<Response> {
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
export async function takeNext(visit: Visit): Promise<Response> {
  const { runtime, user } = visit
  const [held] = await showCalls(runtime, { claimedBy: user.name, limit: 1 })
  if (held) return visit.go(`/calls/${callIdOf(held)}`)
  for (const call of await showCalls(runtime, { free: true, limit: LINES })) {
    const answer = await takeCall(runtime, call, user.name, taking(visit, call))
    if (answer.outcome === 'claimed') return visit.go(`/calls/${callIdOf(call)}`)
  }
  return visit.go('/calls', visit.say('Nothing is left to be called now.', '现在没有需要拨打的电话。'))
}
