import type { LineChart } from '../../charts/chart.ts'
import {
  betweenText,
  type CountLine,
  channelShares,
  effectText,
  gridOf,
  lackText,
  leftOutLines,
  lossLines,
  modelText,
  outsideLines,
  pastText,
  planWord,
  poolText,
  quietLines,
  shareText,
  whenText,
} from '../../service/plan/sentences.ts'
import type { KeptPlan } from '../desk.ts'
import { Bar, Coded, headed, Table } from './parts.tsx'
import { ChartView } from './sheet.tsx'
import type { Visit } from './visit.ts'

// The parts of a plan's page, in the words the terminal has for them.

interface Part {
  readonly visit: Visit
  readonly figures: KeptPlan
}

/** What has to be seen to before this runs. */
export function Warnings({ visit, figures }: Part) {
  const { say, speech } = visit
  const next = figures.nextRun === null ? undefined : new Date(figures.nextRun)
  const model = modelText(figures, speech)
  return (
    <>
      {figures.held === null ? null : (
        <p class="note bad">
          <Coded text={figures.held[visit.language]} />
        </p>
      )}
      {figures.shortages.map((shortage) => (
        <p class={shortage.state === 'out' ? 'note bad' : 'note'}>{lackText(shortage, speech)}</p>
      ))}
      {model === undefined ? null : (
        <p class="note">
          <Coded text={model} />
        </p>
      )}
      <p class="soft">
        {next === undefined
          ? say('No further run.', '不再运行。')
          : say(
              `Once it is what runs, it runs next at ${speech.moment(next)} (${visit.runtime.workspace.timezone}).`,
              `生效后下次运行：${speech.moment(next)}（${visit.runtime.workspace.timezone}）。`,
            )}
      </p>
    </>
  )
}

/** A name as files have it, parted after an underscore where it is too long. */
function Underscored({ text }: { text: string }) {
  const [first = '', ...others] = text.split('_')
  return (
    <>
      {first}
      {others.map((part) => (
        <>
          _<wbr />
          {part}
        </>
      ))}
    </>
  )
}

/** Who would be taken in, by tier and segment: the more, the darker. */
export function AudienceGrid({ visit, figures }: Part) {
  const { speech } = visit
  const word = (name: Parameters<typeof planWord>[0]) => planWord(name, speech)
  if (figures.audience.outside.total === 0) {
    return (
      <p class="note">
        <Coded text={word('noContacts')} />
      </p>
    )
  }
  const { segments, count } = gridOf(figures)
  const tiers = figures.heldOut.map(({ tier }) => tier)
  const most = Math.max(1, ...tiers.flatMap((tier) => segments.map((segment) => count(tier, segment))))
  const total = count(undefined, undefined)
  return (
    <div class="card">
      <h2>{word('audience')}</h2>
      {segments.length === 0 ? (
        <p>{word('nobody')}</p>
      ) : (
        <section class="wide" aria-label={word('audience')} tabindex={0}>
          <table class="heat">
            <thead>
              <tr>
                <th scope="col">{headed(word('tier'))}</th>
                {segments.map((segment) => (
                  <th scope="col" class="num">
                    <Underscored text={speech.segment(segment)} />
                  </th>
                ))}
                <th scope="col" class="num">
                  {headed(word('all'))}
                </th>
              </tr>
            </thead>
            <tbody>
              {tiers.map((tier) => (
                <tr>
                  <th scope="row">{tier}</th>
                  {segments.map((segment) => (
                    <td class={`num heat-${shade(count(tier, segment), most)}`}>
                      {speech.count(count(tier, segment))}
                    </td>
                  ))}
                  <td class="num">{speech.count(count(tier, undefined))}</td>
                </tr>
              ))}
              <tr class="sum">
                <th scope="row">{headed(word('all'))}</th>
                {segments.map((segment) => (
                  <td class="num">{speech.count(count(undefined, segment))}</td>
                ))}
                <td class="num">{speech.count(total)}</td>
              </tr>
            </tbody>
          </table>
        </section>
      )}
    </div>
  )
}

/** 0 for nobody, else 1 to 5: by the root, for one crowded cell would leave all the others pale. */
function shade(count: number, most: number): number {
  return count === 0 ? 0 : Math.max(1, Math.round(5 * Math.sqrt(count / most)))
}

/** Whose time has come, and who is left out nevertheless. */
export function LeftOut({ visit, figures }: Part) {
  const title = figures.entry === 'silence' ? 'leftOut' : 'leftOutInTime'
  return (
    <BarCard
      title={planWord(title, visit.speech)}
      visit={visit}
      lines={leftOutLines(figures, visit.speech)}
    />
  )
}

export function Outside({ visit, figures }: Part) {
  return (
    <BarCard
      title={planWord('outside', visit.speech)}
      visit={visit}
      lines={outsideLines(figures, visit.speech)}
      of={figures.audience.outside.total}
    />
  )
}

function BarCard(props: { visit: Visit; title: string; lines: readonly CountLine[]; of?: number }) {
  if (props.lines.length === 0) return null
  return (
    <div class="card">
      <h2>{props.title}</h2>
      <Bars {...props} />
    </div>
  )
}

/** A bar a line, long sentences included; as long as its share of `of`, or of the longest. */
function Bars({ visit, lines, of }: { visit: Visit; lines: readonly CountLine[]; of?: number | undefined }) {
  const whole = of ?? Math.max(1, ...lines.map(({ count }) => count))
  return (
    <ul class="bars">
      {lines.map(({ count, words }) => (
        <li>
          <span>{words}</span>
          <strong>{visit.speech.count(count)}</strong>
          <Bar share={count / whole} />
        </li>
      ))}
    </ul>
  )
}

export function OnlyQuiet({ visit, figures }: Part) {
  const { speech } = visit
  const lines = quietLines(figures, speech)
  if (lines.length === 0) return null
  const title = planWord('falseChurn', speech)
  return (
    <div class="card">
      <h2>{title}</h2>
      <Table
        label={title}
        columns={[
          { title: planWord('tier', speech) },
          { title: planWord('onlyQuiet', speech), num: true },
          { title: planWord('ofBand', speech), num: true },
          { title: visit.say('by', '依据') },
        ]}
        rows={lines.map(({ tier, quiet, of, why }) => [tier, speech.count(quiet), speech.count(of), why])}
      />
    </div>
  )
}

/** Each step: how many messages, by which channels, and whom it would miss. */
export function Steps({ visit, figures }: Part) {
  const { speech, say } = visit
  if (figures.audience.outside.total === 0) return null
  return (
    <div class="card">
      <h2>{say('What each step would reach', '各步骤的触达')}</h2>
      <p class="soft">{planWord('messages', speech)}</p>
      <ul class="bars steps">
        {figures.audience.steps.map((step) => (
          <li>
            <span>
              <span class="soft">{step.tier} ›</span> {step.step}{' '}
              <span class="tag">{channelShares(step, speech).join(' · ')}</span>
            </span>
            <strong>
              {speech.count(step.messages)}
              {step.contacts === 0 ? null : <small class="soft"> / {speech.count(step.contacts)}</small>}
            </strong>
            <Bar share={step.contacts === 0 ? 0 : step.messages / step.contacts} />
            {figures.variants
              .filter((each) => each.tier === step.tier && each.step === step.step)
              .flatMap(({ variants }) => variants)
              .map(({ name, share, messages }) => (
                <small class="soft">
                  {say('variant', '方案')} {name}
                  {say(': ', '：')}
                  {speech.percent(share)}
                  {say(', ', '，')}
                  {speech.count(messages)}
                </small>
              ))}
            {figures.between
              .filter((each) => each.tier === step.tier && each.step === step.step)
              .map((each) => (
                <small class="soft">{betweenText(each, speech)}</small>
              ))}
            {lossLines(step, speech).map(({ count, words }) => (
              <small class="soft">{shareText(count, step.contacts, words, speech)}</small>
            ))}
          </li>
        ))}
      </ul>
    </div>
  )
}

/** Who is held out, and what it costs at most. */
export function Money({ visit, figures }: Part) {
  const { speech, say } = visit
  const heldOut = planWord('heldOut', speech)
  const sameDraws = figures.heldOut.every((share) => share.withTierDraws === share.episode)
  return (
    <div class="cards">
      <div class="card">
        <h2>{heldOut}</h2>
        <Table
          label={heldOut}
          columns={[
            { title: planWord('entering', speech) },
            { title: planWord('notContacted', speech), num: true },
            ...(sameDraws ? [] : [{ title: planWord('withDraws', speech), num: true }]),
          ]}
          rows={figures.heldOut.map((share) => [
            share.tier,
            speech.percent(share.episode),
            ...(sameDraws ? [] : [speech.percent(share.withTierDraws)]),
          ])}
        />
      </div>
      {figures.audience.outside.total === 0 ? null : (
        <div class="card">
          <h2>{say('Cost, at most', '成本上限')}</h2>
          <dl class="figures">
            <div>
              <dt>{say('sending', '发送费用')}</dt>
              <dd>{speech.money(figures.spend)}</dd>
            </div>
            <div>
              <dt>{say('expected redemptions', '优惠（预计核销）')}</dt>
              <dd>{speech.money(figures.liability)}</dd>
            </div>
          </dl>
          <p class="soft">{planWord('cost', speech)}</p>
          {figures.released ? (
            <>
              <dl class="figures">
                <div>
                  <dt>{say('on their return', '回归奖励')}</dt>
                  <dd>{speech.money(figures.released)}</dd>
                </div>
              </dl>
              <p class="soft">
                {say(
                  'What returns release, at most: were everybody contacted to come back. Whoever does is spared the rest of the ladder.',
                  '回归后发放的上限（假设触达的人全部回来）；回来的人不再走后续阶段。',
                )}
              </p>
            </>
          ) : null}
        </div>
      )}
    </div>
  )
}

/** The smallest effect that can be shown, over time. */
export function EffectOverTime({ visit, figures }: Part) {
  const { speech, say, language } = visit
  if (figures.audience.outside.total === 0) return null
  const chart: LineChart = {
    kind: 'lines',
    id: 'effect',
    title: say(
      'The smallest difference that can be shown, in percentage points',
      '可检出的最小差异（百分点）',
    ),
    xTitle: say('days from now, the observation included', '距今天数（含观察期）'),
    x: 'number',
    unit: 'points',
    series: [
      {
        name: planWord('smallest', speech),
        points: figures.curve.map(({ afterDays, difference }) => ({ x: afterDays, y: difference })),
      },
    ],
    marks: [],
  }
  const title = planWord('showable', speech)
  return (
    <>
      <div class="card">
        <h2>{title}</h2>
        <p>{pastText(figures, speech)}</p>
        <Table
          label={title}
          columns={[
            { title: planWord('afterDays', speech), num: true },
            { title: planWord('assigned', speech), num: true },
            { title: planWord('smallest', speech) },
          ]}
          rows={figures.detectable.map((each) => [
            speech.count(each.afterDays),
            speech.count(each.assigned),
            effectText(each, speech),
          ])}
        />
        <p>{whenText(figures, speech)}</p>
        <p class="soft">{poolText(figures, speech)}</p>
      </div>
      {figures.curve.some(({ difference }) => difference !== null) ? (
        <ChartView chart={chart} language={language} />
      ) : null}
    </>
  )
}

/** What real contacts would get, each in a frame of its own. */
export function Samples(props: {
  visit: Visit
  campaign: string
  samples: readonly (KeptPlan['samples'][number] & { readonly contact: string })[]
}) {
  const { say, language } = props.visit
  if (props.samples.length === 0) return null
  return (
    <div class="card">
      <h2>{planWord('samples', props.visit.speech)}</h2>
      <p class="soft">
        {say(
          'Made of the files as they are now, for contacts that would be taken in.',
          '按当前文件为将被纳入的联系人生成。',
        )}
      </p>
      <div class="cards">
        {props.samples.map(({ contact, tier, step, variant, outcome }) => {
          const query = new URLSearchParams({
            step: `${props.campaign}/${step}`,
            contact,
            ...(variant === null ? {} : { variant }),
          })
          const place = [tier, step, ...(variant === null ? [] : [variant])].join(' · ')
          return (
            <div>
              <h3>{place}</h3>
              <p class="soft">
                <a href={`/templates?${query}`}>{contact}</a>
                {say(': ', '：')}
                {outcome[language]}
              </p>
              <iframe
                sandbox=""
                class="sample"
                title={`${place} · ${contact}`}
                src={`/templates/message?${query}`}
              />
            </div>
          )
        })}
      </div>
    </div>
  )
}
