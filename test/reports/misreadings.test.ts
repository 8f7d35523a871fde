import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Database } from '../../src/database/connect.ts'
import { readCost } from '../../src/reports/cost.ts'
import { readLift } from '../../src/reports/lift.ts'
import { readMonday } from '../../src/reports/monday.ts'
import { readReport } from '../../src/reports/overview.ts'
import { formatReport } from '../../src/reports/overview-text.ts'
import type { CampaignQuestion } from '../../src/reports/question.ts'
import { sheetReports } from '../../src/reports/reports.ts'
import { rollUp } from '../../src/reports/rollup.ts'
import { freshDatabase } from '../support/database.ts'
import { clearHistory, day, type History, writeHistory } from '../support/episodes.ts'
import { clearReports, RULES } from '../support/report-scene.ts'

// Figures that a marketer in a hurry would read as more than they say.

let database: Database
let history: History
beforeAll(async () => {
  database = await freshDatabase({ max: 3 })
  history = await writeHistory(database, 'graded', { coupon: ['remind'] }, { versions: 2 })
})
beforeEach(async () => {
  await clearHistory(database)
  await clearReports(database)
})

const NOW = day(100)
const question = (more: Partial<CampaignQuestion> = {}): CampaignQuestion => ({
  ...{ campaign: 'graded', now: NOW, split: new Map([[1, { holdout: 0.1, control: 0 }]]) },
  ...more,
})
const english = { locale: 'en', currency: 'CNY', color: false, width: 100 }
const chinese = { ...english, locale: 'zh-CN' }
const flat = (text: string) => text.replaceAll(/\s+/g, ' ')

describe('the first sentence of Monday', () => {
  const lead = async (treated: number, heldOut: number) => {
    await history.assign({ arm: 'treated', count: 900, recalled: treated, at: day(4) })
    await history.assign({ arm: 'holdout', count: 100, recalled: heldOut, at: day(4) })
    await rollUp(database, NOW, RULES)
    const data = await readMonday(database, question())
    return [english, chinese].map((style) => sheetReports.monday.sheet(data, style).sentences[0])
  }

  it('calls nobody won back where the interval of the week holds nought', async () => {
    expect(await lead(198, 20)).toEqual([
      {
        text: expect.stringMatching(
          /^Of those taken in in the week of Jan 5, 2026, no effect is shown: the difference of \+18 \(95 % interval -\d+ to \+\d+\) may be chance\.$/,
        ),
        tone: 'plain',
      },
      { text: expect.stringContaining('当周纳入者中未见效果：相差 +18 人'), tone: 'plain' },
    ])
  })

  it('says of fewer that they are fewer', async () => {
    expect(await lead(90, 40)).toEqual([
      {
        text: expect.stringMatching(
          /fewer came back because of the contact: -270 \(95 % interval -\d+ to -\d+\)\.$/,
        ),
        tone: 'bad',
      },
      { text: expect.stringContaining('触达后回来的人反而更少：-270 人'), tone: 'bad' },
    ])
  })

  it('names the interval of who was won back', async () => {
    const [said] = await lead(360, 10)
    expect(said).toMatchObject({
      tone: 'good',
      text: expect.stringContaining('270 came back because of us (95 % interval +'),
    })
  })
})

it('says that the share held out was changed on the way: the season passes for an effect', async () => {
  // Half come back in spring, of whom few are held out, and a tenth in summer, of whom half are. The contact does nothing.
  await history.assign({ arm: 'treated', version: 1, count: 900, recalled: 450 })
  await history.assign({ arm: 'holdout', version: 1, count: 100, recalled: 50 })
  await history.assign({ arm: 'treated', version: 2, count: 500, recalled: 50, at: day(50) })
  await history.assign({ arm: 'holdout', version: 2, count: 500, recalled: 50, at: day(50) })
  await rollUp(database, NOW, RULES)
  const split = new Map([
    [1, { holdout: 0.1, control: 0 }],
    [2, { holdout: 0.5, control: 0 }],
  ])
  const data = await readLift(database, question({ split }))
  // What is claimed is false, and the groups have the sizes they were drawn with.
  expect(data.verdict).toEqual({ kind: 'won_back' })
  const overview = await readReport(database, { campaign: 'graded', now: NOW, split, goals: new Map() })
  const monday = await readMonday(database, question({ split }))
  for (const [style, words] of [
    [english, 'The share held out was changed on the way (10.0 %, 50.0 %)'],
    [chinese, '对照组比例中途变更过（10.0%、50.0%）'],
  ] as const) {
    expect(flat(sheetReports.lift.format(data, style))).toContain(words)
    expect(flat(sheetReports.monday.format(monday, style))).toContain(words)
    expect(flat(formatReport(overview, style))).toContain(words)
  }
  const later = await readLift(database, question({ split, from: day(40).toISOString().slice(0, 10) }))
  expect(later.verdict).toEqual({ kind: 'no_difference' })
  expect(flat(sheetReports.lift.format(later, english))).not.toContain('changed on the way')
})

it('is no price of nought where nothing was booked', async () => {
  await history.assign({ arm: 'treated', count: 900, recalled: 360, at: day(4) })
  await history.assign({ arm: 'holdout', count: 100, recalled: 10, at: day(4) })
  await rollUp(database, NOW, RULES)
  const cost = await readCost(database, question())
  expect(sheetReports.cost.format(cost, english)).toContain('One won back by us costs: nothing was spent.')
  const { figures } = sheetReports.monday.sheet(await readMonday(database, question()), english)
  expect(figures?.figures.map(({ name }) => name)).not.toContain('one won back costs')
})
