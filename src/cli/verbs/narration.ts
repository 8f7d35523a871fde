import type { RunResult } from '../../audience/run.ts'
import { maskText } from '../../config/masking.ts'
import { CREDITOR } from '../../config/waits.ts'
import { messageOf } from '../../errors.ts'
import { gapText } from '../../reports/queues.ts'
import { ANSWERS, REDEMPTION_REFUSALS, STATES } from '../../reports/reasons.ts'
import { switchReason } from '../../reports/switch-reason.ts'
import { type Speech, sentence } from '../../reports/words.ts'
import type { ServiceEvents } from '../../service/service.ts'
import type { Tripped } from '../../touchpoints/breakers.ts'
import { EXIT, exitCodeOf } from '../failure.ts'
import { hindranceText } from '../foreseen.ts'
import { sayIn } from '../locale.ts'
import type { DatabaseContext } from '../workspace.ts'
import { noteText, RUN_STATES } from './run-words.ts'

// What a service says while it runs. In English names are said as they are recorded: such a log is searched.

/**
 * Milliseconds for which an error is not said again: loops ask what is away every second, and a night of that was a hundred
 * thousand lines. Less than a minute, after which what is done each minute fails anew.
 */
const SAID_LATELY = 55_000
/** Errors that are remembered: of those that are all different, none comes again. */
const REMEMBERED = 100

/**
 * Which errors are worth saying: the same one once a minute, with how often it came since it was said.
 * @returns undefined for one that was said lately, else how many were not said
 */
function openErrors(): (error: string, now: Date) => number | undefined {
  const said = new Map<string, { readonly at: number; more: number }>()
  return (error, now) => {
    const known = said.get(error)
    const at = now.getTime()
    // Of a clock that was put back, it was said in time to come.
    if (known && at >= known.at && at - known.at < SAID_LATELY) {
      known.more += 1
      return undefined
    }
    said.delete(error)
    said.set(error, { at, more: 0 })
    const [oldest] = said.keys()
    if (said.size > REMEMBERED && oldest !== undefined) said.delete(oldest)
    return known?.more ?? 0
  }
}

/** An event for each thing that happened. */
export function narrate(context: Pick<DatabaseContext, 'clock' | 'output'>, speech: Speech): ServiceEvents {
  // A campaign that is held back is looked at every minute, and told of once.
  const told = new Map<string, string>()
  const worthSaying = openErrors()
  // One process may be a scheduler and a worker.
  let gapSaid: string | undefined
  const { language } = speech
  const inWords = sayIn(speech)
  const say = (event: string, facts: Record<string, unknown>, words: string, warning = false) =>
    context.output.event({ at: context.clock.now(), event, facts, words, warning })
  const counts = (
    record: Readonly<Record<string, number>>,
    words: Parameters<typeof sentence>[0],
    unit = '',
  ) =>
    Object.entries(record)
      .map(([name, count]) =>
        language === 'en' ? `${count} ${name}` : `${sentence(words, name, language)} ${count}${unit}`,
      )
      .join(language === 'en' ? ', ' : '；')
  const why = ({ hindrance, note }: RunResult) =>
    hindrance ? hindranceText(hindrance, speech) : note === null ? '' : noteText(note, language)
  return {
    onRun: (campaign, tick, result) => {
      const { hindrance: _, ...facts } = result
      if (isHeldBack(result)) {
        const { state, note } = result
        if (told.get(campaign) === `${state} ${note}`) return
        told.set(campaign, `${state} ${note}`)
        const words = inWords(
          `${campaign} does not run: ${why(result)}`,
          `${campaign} 不运行：${why(result)}`,
        )
        say('held_back', { campaign, state, note }, words)
        return
      }
      told.delete(campaign)
      const reason = why(result)
      const answers = counts(result.answers, ANSWERS, ' 人')
      const words = inWords(
        `run ${campaign} for ${tick.toISOString()}: ${result.state}${reason ? ` (${reason})` : ''}, ${result.considered} considered${answers ? `, ${answers}` : ''}`,
        `运行 ${campaign}（${tick.toISOString()}）：${RUN_STATES[result.state][language]}${reason ? `（${reason}）` : ''}，考察 ${result.considered} 人${answers ? `：${answers}` : ''}`,
      )
      say('run', { campaign, tick, ...facts }, words)
      if (result.state === 'refused') {
        const refused = inWords(
          `${campaign} refused to run: ${reason}`,
          `${campaign} 被拒绝运行${reason ? `：${reason}` : ''}`,
        )
        say('refused', { campaign, note: result.note }, refused, true)
      }
    },
    onBatch: ({ tookNone = [], ...result }) => {
      if (result.claimed === 0) return
      const all = { ...result.settled, ...(result.deferred ? { deferred: result.deferred } : {}) }
      const became = counts(all, STATES)
      const words = inWords(`batch of ${result.claimed}: ${became}`, `批次 ${result.claimed} 条：${became}`)
      say('batch', { ...result }, words)
      for (const { channel, messages, said } of tookNone) {
        const detail = maskText(said)
        const none = inWords(
          `channel ${channel} took none of ${messages} messages (${detail})`,
          `渠道 ${channel} 没有接受 ${messages} 条消息中的任何一条（${detail}）`,
        )
        say('took_none', { channel, messages, detail }, none, true)
      }
    },
    onSweep: (swept) => {
      const { released, repeated, uncertain } = swept
      if (released + repeated + uncertain === 0) return
      const words = inWords(
        `swept: ${released} released, ${repeated} to be repeated, ${uncertain} uncertain`,
        `清理：释放 ${released}；待重发 ${repeated}；是否送达未知 ${uncertain}`,
      )
      say('sweep', { ...swept }, words)
    },
    onTripped: (tripped) => say('tripped', { ...tripped }, trippedText(tripped, speech)),
    onSync: (summary) => {
      // Most syncs of a quiet hour read again what is known, and are nothing to tell of.
      const { sync, state, inserted, updated, rejected } = summary
      if (state === 'busy' || inserted + updated + rejected === 0) return
      const words = inWords(
        `sync ${sync}: ${inserted} new, ${updated} updated, ${rejected} rejected`,
        `同步 ${sync}：新增 ${inserted}，更新 ${updated}，拒收 ${rejected}`,
      )
      say('sync', { ...summary }, words)
    },
    onRefused: (reasons) => {
      const told = counts(reasons, REDEMPTION_REFUSALS, ' 次')
      say('redemptions_refused', { reasons }, inWords(`redemptions refused: ${told}`, `核销被拒：${told}`))
    },
    onRest: (channel, milliseconds) => {
      const seconds = Math.round(milliseconds / 1000)
      const words = inWords(
        `channel ${channel} rests for ${seconds} s: its provider takes connections and does not say what it took`,
        `渠道 ${channel} 暂停 ${seconds} 秒：服务商接受连接，却不说明是否已接收`,
      )
      say('rest', { channel, seconds }, words, true)
    },
    onReach: (news) => {
      const { channel, since } = news
      const credits = channel === CREDITOR
      const [what, zh] = credits
        ? ['the provider that credits offers', '发放优惠的服务商']
        : [`channel ${channel}`, `渠道 ${channel} `]
      if (!('detail' in news)) {
        const words = inWords(
          `${what} is reached again: it was away since ${since.toISOString()}`,
          `${zh}已恢复连接：自 ${since.toISOString()} 起失联`,
        )
        say('back', { channel, since }, words)
        return
      }
      const { detail, nextAt } = news
      const until = nextAt.toISOString()
      const waits = credits ? 'what it is to be asked for waits' : `it rests until ${until}`
      const words = inWords(
        `${what} cannot be reached since ${since.toISOString()} (${detail}): ${waits}, and costs no message a try`,
        `${zh}自 ${since.toISOString()} 起无法连接（${detail}）：${credits ? '待其发放的优惠等待重试' : `暂停至 ${until}`}，不计入消息的尝试次数`,
      )
      say('away', { channel, since, detail, nextAt }, words, true)
    },
    onGap: (gap) => {
      const { found, mend } = gap ? gapText(gap.kind, gap.queues, language) : { found: '', mend: '' }
      if ((gapSaid ?? '') === found) return
      gapSaid = found
      if (gap) say(`queues_${gap.kind}`, gap, `${found}${language === 'en' ? '. ' : '。'}${mend}`, true)
      else
        say(
          'queues_together',
          {},
          inWords(
            'schedulers and workers are together at one queue again',
            '调度器与工作进程已重新使用同一队列',
          ),
        )
    },
    onError: (where, error, request) => {
      const message = maskText(messageOf(error))
      // Each request has its line, for whoever asks about theirs; but where something does not answer, all of them fail.
      const away = exitCodeOf(error) === EXIT.unavailable
      const about = request === undefined ? where : `${where} (request ${request})`
      const unsaid = worthSaying(`${away ? where : about}: ${message}`, context.clock.now())
      if (unsaid === undefined) return
      const times = inWords(
        ` (${unsaid} more times since it was said last)`,
        `（上次提示后又发生 ${unsaid} 次）`,
      )
      const more = unsaid > 0 ? { unsaid } : {}
      say(
        'error',
        { where, message, request, ...more },
        `${about}: ${message}${unsaid > 0 ? times : ''}`,
        true,
      )
    },
  }
}

function isHeldBack({ state, runId }: RunResult): boolean {
  // A stop in the middle of a run is an end of that run, with an id.
  return runId === 0 && ['paused', 'stopped', 'not_yet', 'over'].includes(state)
}

/** What a breaker or a `stop` rule did, and by which figures. */
export function trippedText({ scope, name, event, reason }: Tripped, speech: Speech): string {
  return sayIn(speech)(
    `${scope} ${name} ${event.replace('_', ' ')}: ${reason}`,
    `${scope === 'channel' ? '渠道' : '活动'} ${name} ${TRIPPED[event]}：${switchReason(reason, speech.language)}`,
  )
}

const TRIPPED: Readonly<Record<Tripped['event'], string>> = {
  opened: '已熔断',
  half_open: '半开',
  closed: '已恢复',
  stopped: '已按停止规则暂停',
}
