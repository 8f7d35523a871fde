import {
  betweenText,
  channelShares,
  lossLines,
  planWord,
  shareText,
} from '../../../service/plan/sentences.ts'
import { Bar } from '../parts.tsx'
import type { PlanPart } from './plan-part.ts'

/** Each step: how many messages, by which channels, and whom it would miss. */
export function Steps({ visit, figures }: PlanPart) {
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
