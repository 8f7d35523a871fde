import type { Child } from 'hono/jsx'
import { CALL_OUTCOMES, SENTIMENTS, type Sentiment } from '../../../channels/channel.ts'
import { MASKED } from '../../../config/masking.ts'
import { isLeavingReason, LEAVING_REASONS } from '../../../config/reasons.ts'
import { LONGEST_TYPED } from '../../../config/typed-text.ts'
import type { AttemptMade } from '../../../outcomes/call-attempts.ts'
import { type Call, type CallKey, callIdOf, isHeld } from '../../../outcomes/calls.ts'
import { KIND_WORDS, OUTCOME_WORDS, OVER_WORDS, SENTIMENT_WORDS } from '../../../reports/call-words.ts'
import { sentence } from '../../../reports/words.ts'
import { showCall } from '../../../service/calls.ts'
import { campaignTitles } from '../../../service/campaign-titles.ts'
import { readStory } from '../../../service/reporting.ts'
import { Act } from '../parts.tsx'
import { ReasonOptions } from '../reasons.tsx'
import { entered, kept, marked, Refusal, type RefusedForm, ticked } from '../refused-form.tsx'
import { Story } from '../story.tsx'
import type { Visit } from '../visit.ts'
import { keyOf } from './call-keys.tsx'
import { dueText, quietText } from './call-words.ts'

// One call: whom, what to say, what they went through with us, and what became of it.

/** Lines of the contact's story beside the script; the whole of it is a link away. */
const STORY = 6

/** What an agent can report; a robot alone hands over. */
const OUTCOMES = CALL_OUTCOMES.filter((outcome) => outcome !== 'handed_over')

/**
 * @param refused what of a report could not be taken: it is shown again, whosever the call is by now
 * @returns undefined where there is no such call
 */
export async function showTask(
  visit: Visit,
  key: CallKey,
  keys: Child,
  refused?: RefusedForm<'report'>,
): Promise<Response | undefined> {
  const { say, runtime, user, now, language } = visit
  const found = await showCall(runtime, key)
  if (!found) return undefined
  const { call, attempts } = found
  const mine = call.state === 'claimed' && call.claimedBy === user.name
  const unmasked = mine && visit.may('see_addresses')
  const story = await readStory(runtime, { externalId: call.externalId, now, unmasked })
  const due = dueText(call, now, language)
  const titles = await campaignTitles(visit.runtime, [call.campaign])
  return await visit.show(
    call.firstName ?? call.externalId,
    <>
      <p>
        {call.closedAt === null ? <span class={`tag ${due.tone}`}>{due.text}</span> : null}{' '}
        <span class="tag">{KIND_WORDS[call.kind][language]}</span>{' '}
        <span class="soft">
          {titles.get(call.campaign)} · {call.tier} ·{' '}
          {say(`priority ${call.priority}`, `优先级 ${call.priority}`)}
        </span>
      </p>
      {/* Before all that is read: a script may be longer than a telephone is high. */}
      <Telephone visit={visit} call={call} mine={mine} />
      <Standing visit={visit} call={call} mine={mine} />
      <div class="cards top-aligned">
        <div class="card">
          <h2>{say('What to say', '话术')}</h2>
          <p class="paper">{call.script}</p>
        </div>
        <div class="card">
          <h2>{say('What happened so far', '此前经过')}</h2>
          <Story visit={visit} entries={story.entries.slice(-STORY)} brief />
          {/* Beside a report that is being filled in: not every browser has it still, on the way back. */}
          <a
            href={`/contacts/${encodeURIComponent(call.externalId)}`}
            target={mine || refused ? '_blank' : undefined}
          >
            {mine || refused
              ? say('The whole story, in another tab', '全部经过（新标签页）')
              : say('The whole story', '全部经过')}
          </a>
        </div>
      </div>
      {attempts.length === 0 ? null : <Attempts visit={visit} attempts={attempts} />}
      {mine || refused ? <Report visit={visit} call={call} refused={refused} /> : null}
      <p>
        <a href="/calls" data-key="b">
          {say('Back to the queue', '返回队列')}
        </a>
      </p>
      {keys}
    </>,
    refused === undefined ? 200 : 422,
  )
}

/** Whose the call is, and what can be done about that. */
function Standing({ visit, call, mine }: { visit: Visit; call: Call; mine: boolean }) {
  const { say, speech, language, now } = visit
  const path = `/calls/${callIdOf(call)}`
  if (mine) {
    return (
      <>
        {call.quietUntil ? (
          <p class="note">
            {say(
              `It is outside the hours of the campaign where they are, until ${speech.moment(call.quietUntil)}.`,
              `当前不在活动允许联系的当地时段内（至 ${speech.moment(call.quietUntil)}）。`,
            )}
          </p>
        ) : null}
        <Act
          visit={visit}
          to={`${path}/release`}
          words={say('Give it back', '放回队列')}
          kind="quiet"
          hotkey={keyOf(visit, 'g')}
        />
      </>
    )
  }
  if (call.closedAt !== null) {
    const why = OVER_WORDS[call.closedBy ?? '']?.[language] ?? call.closedBy
    return <p class="note">{say(`This call is over: ${why}.`, `这通电话已结束：${why}。`)}</p>
  }
  if (isHeld(call, now)) {
    return (
      <>
        <p class="note">
          {say(
            `${call.claimedBy} has taken this call. There is nothing for you to do here.`,
            `${call.claimedBy} 已接手这通电话，您无需处理。`,
          )}
        </p>
        <Act
          visit={visit}
          to="/calls/next"
          words={say('Take the next', '接手下一通')}
          hotkey={keyOf(visit, 'n')}
        />
      </>
    )
  }
  if (call.paused) {
    return (
      <p class="note">
        {say(
          'Calls of this campaign are paused: nobody can take this one until they are resumed.',
          '此活动的电话已暂停：恢复之前无法接手。',
        )}
      </p>
    )
  }
  if (call.quietUntil) return <p class="note">{quietText(visit, call.quietUntil)}</p>
  return (
    <Act
      visit={visit}
      to={`${path}/take`}
      words={say('Take this call', '接手这通电话')}
      hotkey={keyOf(visit, 't')}
    />
  )
}

function Telephone({ visit, call, mine }: { visit: Visit; call: Call; mine: boolean }) {
  const { say, now, language } = visit
  const clock =
    call.timezone === null
      ? null
      : new Intl.DateTimeFormat(language, {
          timeStyle: 'short',
          hourCycle: 'h23',
          timeZone: call.timezone,
        }).format(now)
  return (
    <p>
      {call.phone === null ? (
        say('There is no number.', '没有号码。')
      ) : mine && visit.may('see_addresses') ? (
        <a class="number" href={`tel:${call.phone}`}>
          {call.phone}
        </a>
      ) : (
        <>
          {MASKED.phone(call.phone)}{' '}
          <small>{say('Whole once the call is yours.', '接手后显示完整号码。')}</small>
        </>
      )}
      {call.locale === null ? null : <span class="soft"> · {call.locale}</span>}
      {clock === null ? null : (
        <span class="soft"> · {say(`it is ${clock} where they are`, `当地时间 ${clock}`)}</span>
      )}
    </p>
  )
}

function Attempts({ visit, attempts }: { visit: Visit; attempts: readonly AttemptMade[] }) {
  const { say, speech, language } = visit
  return (
    <div class="card">
      <h2>{say('Calls made before', '此前通话')}</h2>
      <ol class="story">
        {attempts.map((each) => (
          <li>
            <time datetime={each.madeAt.toISOString()}>{speech.moment(each.madeAt)}</time>
            {[
              each.madeBy === 'robot' ? say('the robot', '机器人') : each.madeBy,
              sentence(OUTCOME_WORDS, each.outcome, language),
              ...(each.reason !== null && isLeavingReason(each.reason)
                ? [LEAVING_REASONS[each.reason][language]]
                : []),
              ...(each.sentiment === null ? [] : [SENTIMENT_WORDS[each.sentiment as Sentiment]?.[language]]),
            ].join(' · ')}
            {[each.notes, each.transcript].map((text) =>
              text === null ? null : <p class="paper soft">{text}</p>,
            )}
          </li>
        ))}
      </ol>
    </div>
  )
}

/** Fields whose mistake is told beside them: on a telephone the head of the form is a screen above, or two. */
const TOLD_BESIDE = ['minutes', 'notes', 'next'] as const

function Report({
  visit,
  call,
  refused,
}: {
  visit: Visit
  call: Call
  refused: RefusedForm<'report'> | undefined
}) {
  const { say, language, user, runtime, form } = visit
  const zone = runtime.workspace.timezone
  const sent = refused?.field === 'attempt' ? null : form.get('attempt')
  const attempt = sent ?? `${callIdOf(call)} ${call.attempts + 1}`
  // Whose call it is no longer is told no number that they did not have.
  const phone = refused ? form.get('phone') : call.phone
  const wrong = (field: (typeof TOLD_BESIDE)[number]) =>
    refused?.field === field ? <Refusal refused={refused} /> : null
  return (
    <form class="card" method="post" action={`/calls/${callIdOf(call)}/outcome`} data-main>
      <h2>{say('What became of it', '通话结果')}</h2>
      {TOLD_BESIDE.some((field) => field === refused?.field) ? null : <Refusal refused={refused} />}
      <input type="hidden" name="csrf" value={user.csrf} />
      {/* One report is one attempt, however often the form is sent. */}
      <input type="hidden" name="attempt" value={attempt} />
      {/* The number that is shown here is the one they ring: the contact may have another by the time they report. */}
      {phone === null || !visit.may('see_addresses') ? null : (
        <input type="hidden" name="phone" value={phone} />
      )}
      <div class="cards three">
        <fieldset>
          <legend>{say('Outcome', '结果')}</legend>
          {OUTCOMES.map((outcome, at) => (
            <label class="tick">
              <input
                type="radio"
                name="outcome"
                value={outcome}
                required
                checked={ticked(refused, 'outcome', outcome, form)}
                {...(at === 0 ? entered : marked)(refused, 'outcome')}
                data-key={String(at + 1)}
              />
              {OUTCOME_WORDS[outcome][language]}{' '}
              {keyOf(visit, String(at + 1)) === undefined ? null : <kbd>{at + 1}</kbd>}
            </label>
          ))}
        </fieldset>
        <div>
          <label>
            {say('Why they stay away, if they said so', '流失原因（对方说明时）')}
            <select name="reason" data-key="r" {...entered(refused, 'reason')}>
              <ReasonOptions
                language={language}
                none={say('not said', '未说明')}
                chosen={refused && (form.get('reason') ?? undefined)}
              />
            </select>
          </label>
          <fieldset>
            <legend>{say('How they sounded', '对方态度')}</legend>
            <div class="row">
              {SENTIMENTS.map((sentiment, at) => (
                <label class="tick">
                  <input
                    type="radio"
                    name="sentiment"
                    value={sentiment}
                    checked={ticked(refused, 'sentiment', sentiment, form)}
                    {...(at === 0 ? entered : marked)(refused, 'sentiment')}
                  />
                  {SENTIMENT_WORDS[sentiment][language]}
                </label>
              ))}
            </div>
            <small>{say('Unhappy: they hear nothing more from us.', '选择“不满”后不再打扰对方。')}</small>
          </fieldset>
          {wrong('minutes')}
          <label>
            {say('Minutes', '通话分钟数')}
            <input
              name="minutes"
              type="number"
              min="0"
              max="600"
              step="0.5"
              inputmode="decimal"
              data-key="m"
              {...kept(refused, 'minutes', form)}
            />
          </label>
        </div>
        <div>
          {wrong('notes')}
          <label>
            {say('Notes', '备注')}
            <textarea
              name="notes"
              rows={4}
              maxlength={LONGEST_TYPED.note}
              data-key="o"
              {...entered(refused, 'notes')}
            >
              {refused && form.get('notes')}
            </textarea>
          </label>
          {wrong('next')}
          <label>
            {say('Try again at', '下次拨打时间')}
            <input name="next" type="datetime-local" {...kept(refused, 'next', form)} />
            <small>
              {say(
                `In ${zone}. Empty: after no answer in 4 hours, else tomorrow.`,
                `时区 ${zone}。留空时：无人接听 4 小时后再打，约定再打则为明天。`,
              )}
            </small>
          </label>
        </div>
      </div>
      <div class="row">
        <button type="submit" name="then" value="next">
          {say('Record, and take the next', '登记并接手下一通')}
        </button>
        <button type="submit" class="quiet" name="then" value="queue">
          {say('Record', '登记')}
        </button>
      </div>
    </form>
  )
}
