import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SHIPPED_CAMPAIGNS } from '../cli/verbs/init.ts'
import type { PlantedPerson, SimulatedAct } from './acts.ts'
import { uniform } from './draws.ts'
import type { Population } from './population.ts'

// The campaigns that run beside the one whose effect is planted. Nothing moves anybody in them: what their reports find
// is known, too, and it is nothing. Each has people of its own, so that they leave the other's experiment alone: who
// complained is the at-risk campaign's, who would not recommend the shop the unhappy one's, and neither can be in two
// campaigns of one exclusive group. The others ask for a membership's end and a large order, not for silence.

const DAY = 86_400_000

/** A campaign by the webhook: none that ships needs a provider of one's own. */
const THANKS = `# yaml-language-server: $schema=./campaign.schema.json
# Thanks: a card for a large order, printed and posted by the shop's own service behind the webhook.
version: 1
campaign: thanks
title: A card for a large order
owner: growth@example.com
schedule: "0 9 */2 * *"
timezone: Asia/Shanghai
priority: 20

audience: contact.status == "active"
feed: { max_lag: 36h, min_volume: 50% }

goals:
  again: { event: order, margin: 30% }
window: 21d
holdout: 10%

tiers:
  - name: day-after
    enter: event order
    after: 24h
    where: event.value >= 600.0
    within: 3d
    steps:
      - { id: card, channel: webhook, template: care }
`

/** What is changed of a file that ships, and why. */
const CHANGES: Readonly<Record<string, readonly (readonly [from: string, to: string])[]>> = {
  'at-risk': [
    ['schedule: "0 10 * * *"', 'schedule: "0 9 * * 1"'],
    // Who is merely silent is graded-recall's.
    ['risk.grade != "none"', 'risk.grade in ["medium", "severe"]'],
  ],
  unhappy: [['schedule: "30 9 * * *"', 'schedule: "0 9 * * 1"']],
  renewal: [['schedule: "0 11 * * *"', 'schedule: "0 9 * * *"']],
}

/** The campaign whose effect is planted. */
export const MEASURED = 'graded-recall'

/** Those that are run before the first tick: they come first where both would take somebody in. */
export const FIRST: readonly string[] = ['unhappy', 'at-risk']

/**
 * Writes the campaign by the webhook, and lets all run at nine, on Mondays alone where that will do: a run looks at
 * everybody, and all the runs of a morning are one jump of the replay.
 */
export async function writeProgramme(folder: string): Promise<void> {
  const file = (name: string) => join(folder, 'campaigns', `${name}.yaml`)
  await writeFile(file('thanks'), THANKS)
  for (const name of SHIPPED_CAMPAIGNS) {
    const text = await readFile(file(name), 'utf8')
    const changed = (CHANGES[name] ?? []).reduce((before, [from, to]) => {
      if (!before.includes(from)) throw new Error(`${name}.yaml has no ${from}`)
      return before.replace(from, to)
    }, text)
    await writeFile(file(name), changed)
  }
}

/** How many of a hundred members renew, whoever writes to them. */
const RENEWING = 0.55

/** The renewals to come, in order of time: around the end of each membership, and not because of a reminder. */
export function plantRenewals(population: Population, planted: readonly PlantedPerson[]): SimulatedAct[] {
  const indices = new Map(population.people.map(({ externalId, index }) => [externalId, index]))
  return planted
    .flatMap(({ externalId, membershipEnds }): SimulatedAct[] => {
      const index = indices.get(externalId)
      if (membershipEnds === undefined || index === undefined) return []
      const u = (purpose: string) => uniform(population.seed, index, purpose)
      if (u('renews') >= RENEWING) return []
      const at = Math.round(membershipEnds + (10 * u('renews, when') - 5) * DAY)
      const ends = new Date(membershipEnds + 365 * DAY).toISOString()
      return at <= population.start
        ? []
        : [{ externalId, at, type: 'subscription_started', properties: { plan: 'tea-club', ends_at: ends } }]
    })
    .sort((a, b) => a.at - b.at)
}
