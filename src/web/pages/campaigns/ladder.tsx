import type { Child } from 'hono/jsx'
import { type Campaign, ON_RETURN } from '../../../config/campaign.ts'
import type { VersionText } from '../../../config/compiled.ts'
import { subjectOf } from '../../../config/entering.ts'
import { formatDuration } from '../../../config/quantities.ts'
import { readFreshness } from '../../../reports/freshness.ts'
import { type Rung, readLadder } from '../../../reports/ladder.ts'
import { REASONS } from '../../../reports/reasons.ts'
import { bracketed, type Phrases, sentence } from '../../../reports/words.ts'
import { Bar } from '../parts.tsx'
import type { Visit } from '../visit.ts'

// The ladder of the version in force: tier by tier what is sent, when and on what condition, and what became of it so far.

type Tier = Campaign['tiers'][number]
type Step = Tier['steps'][number]

export async function LadderCard({ visit, campaign, text }: Shown) {
  const { say, speech, runtime } = visit
  const { tiers = [], on_return: released = [] } = text.definition
  const rungs = await readLadder(runtime.database, campaign)
  const { countedAt } = await readFreshness(runtime.database, { campaign })
  const ladder = [...tiers, { name: ON_RETURN, steps: released }]
  const gone = rungs.filter(
    ({ tier, step }) =>
      !ladder.some(({ name, steps }) => name === tier && steps.some(({ id }) => id === step)),
  )
  const steps = (tier: string, given: readonly Step[]) => (
    <ul class="bars steps">
      {given.map((step) => (
        <StepLine
          visit={visit}
          step={step}
          rung={rungs.find((each) => each.tier === tier && each.step === step.id)}
        />
      ))}
    </ul>
  )
  return (
    <div class="card">
      <h2>{say('The ladder', '触达阶梯')}</h2>
      <p class="soft">
        {countedAt === undefined
          ? say('Nothing has been counted yet.', '尚未统计。')
          : say(
              `What became of every message so far, counted ${speech.moment(countedAt)}.`,
              `迄今全部消息的结果，统计于 ${speech.moment(countedAt)}。`,
            )}
      </p>
      {tiers.map((tier) => (
        <section>
          <h3>
            {tier.name} <small>{entered(tier, visit)}</small>
          </h3>
          {steps(tier.name, tier.steps)}
        </section>
      ))}
      {released.length === 0 ? null : (
        <section>
          <h3>{say('On their return', '回归后')}</h3>
          {steps(ON_RETURN, released)}
        </section>
      )}
      {gone.length === 0 ? null : (
        <section>
          <h3>{say('Steps of earlier versions', '旧版本的步骤')}</h3>
          <ul class="bars steps">
            {gone.map((rung) => (
              <li>
                <span>
                  <span class="soft">{rung.tier} ›</span> {rung.step}
                </span>
                <Outcome visit={visit} rung={rung} />
              </li>
            ))}
          </ul>
        </section>
      )}
    </div>
  )
}

interface Shown {
  readonly visit: Visit
  readonly campaign: string
  readonly text: VersionText
}

const UNITS: Phrases = {
  d: { en: 'day', 'zh-CN': '天' },
  h: { en: 'hour', 'zh-CN': '小时' },
  m: { en: 'minute', 'zh-CN': '分钟' },
  s: { en: 'second', 'zh-CN': '秒' },
}

/** Seconds as they are said, `3 days`, in the unit a file would write them in. */
function lengthOf(seconds: number, { language }: Visit): string {
  const [, count = '', unit = ''] = /^(\d+)(\D)$/.exec(formatDuration(seconds)) ?? []
  const many = language === 'en' && count !== '1' ? 's' : ''
  return `${count} ${sentence(UNITS, unit, language)}${many}`
}

/** `silent for 3 days to 7 days`: whom the tier takes. */
function entered({ inactive, enter, after = 0 }: Tier, visit: Visit): string {
  const { say } = visit
  if (inactive !== undefined) {
    const from = lengthOf(inactive.from, visit)
    if (inactive.to === null) return say(`silent for ${from} or longer`, `沉默 ${from} 以上`)
    const to = lengthOf(inactive.to, visit)
    return say(`silent for ${from} to ${to}`, `沉默 ${from} 至 ${to}`)
  }
  if (enter === undefined) return ''
  const subject = say(subjectOf(enter), subjectOf(enter).replace(/^event /, '事件 '))
  const offset = enter.kind === 'date' ? enter.offset : after
  const length = lengthOf(Math.abs(offset), visit)
  if (offset === 0) return say(`on ${subject}`, `${subject} ${enter.kind === 'date' ? '当天' : '发生时'}`)
  return offset < 0
    ? say(`${length} before ${subject}`, `${subject} 之前 ${length}`)
    : say(`${length} after ${subject}`, `${subject} 之后 ${length}`)
}

function StepLine({ visit, step, rung }: { visit: Visit; step: Step; rung: Rung | undefined }) {
  const { say, speech } = visit
  const conditions = [
    [say('when', '条件'), step.when],
    [say('unless', '除非'), step.unless],
  ] as const
  return (
    <li>
      <span>
        {step.id}{' '}
        <span class="tag">
          {step.channel.map((name) => speech.channel(name)).join(say(', else ', '，否则'))}
        </span>
      </span>
      <Outcome visit={visit} rung={rung}>
        <small>{termsOf(step, visit).join(' · ')}</small>
        {conditions.map(([word, source]) =>
          source === undefined ? null : (
            <small>
              {word} <code>{source}</code>
            </small>
          ),
        )}
      </Outcome>
    </li>
  )
}

/** How many of a step's messages went, as a bar, and what became of all of them. @param props.children what comes between */
function Outcome(props: { visit: Visit; rung: Rung | undefined; children?: Child }) {
  const { visit, rung, children } = props
  const { speech } = visit
  const { planned = 0, sent = 0 } = rung ?? {}
  return (
    <>
      <strong>
        {speech.count(sent)}
        {planned === 0 ? null : <small class="soft"> / {speech.count(planned)}</small>}
      </strong>
      <Bar share={planned === 0 ? 0 : sent / planned} />
      {children}
      {rung === undefined ? null : <small>{outcomeOf(rung, visit).join(' · ')}</small>}
      {rung === undefined || rung.unsent === 0 ? null : <small>{whyUnsent(rung, visit)}</small>}
    </>
  )
}

/** When it goes, what it says, what it gives. */
function termsOf(step: Step, visit: Visit): string[] {
  const { say } = visit
  const names = (given: readonly string[]) => [...new Set(given)].join(say(', ', '、'))
  const { template, script, offer, variants } = step
  return [
    step.after === 0
      ? say('at once', '立即')
      : say(`after ${lengthOf(step.after, visit)}`, `${lengthOf(step.after, visit)}后`),
    ...(template === undefined
      ? []
      : [
          say('template ', '模板 ') +
            names(typeof template === 'string' ? [template] : Object.values(template)),
        ]),
    ...(script === undefined ? [] : [say('script ', '话术 ') + script]),
    ...(offer === undefined ? [] : [say('offer ', '优惠 ') + offer]),
    ...(variants === undefined ? [] : [say('variants ', '方案 ') + names(Object.keys(variants))]),
  ]
}

function outcomeOf({ sent, failed, unsent, waiting }: Rung, { say, speech }: Visit): string[] {
  const parts: [number, string, string][] = [
    [sent, 'sent', '已发送'],
    [failed, 'failed or in doubt', '失败或不明'],
    [unsent, 'not sent', '未发送'],
    [waiting, 'to come', '待发送'],
  ]
  return parts.flatMap(([count, en, zh]) =>
    count === 0 ? [] : [say(`${speech.count(count)} ${en}`, `${zh} ${speech.count(count)}`)],
  )
}

/** Reasons that are named of a step. */
const NAMED = 3

function whyUnsent({ reasons }: Rung, { say, speech, language }: Visit): string {
  const named = reasons
    .slice(0, NAMED)
    .map(
      ({ reason, messages }) =>
        sentence(REASONS, reason, language) + bracketed(speech.count(messages), speech),
    )
  return (
    say('not sent: ', '未发送：') + [...named, ...(reasons.length > NAMED ? ['…'] : [])].join(say(', ', '，'))
  )
}
