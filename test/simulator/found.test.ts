import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { writeWorkspace } from '../../src/cli/verbs/init.ts'
import { manualClock } from '../../src/clock.ts'
import { environmentFrom } from '../../src/config/environment.ts'
import { loadWorkspace } from '../../src/config/load.ts'
import { importActivity, importContacts } from '../../src/contacts/import.ts'
import { freshenSignals } from '../../src/service/signals.ts'
import { plantActs } from '../../src/simulator/acts.ts'
import { writeFiles } from '../../src/simulator/files.ts'
import { findPlanted, formatPlanted } from '../../src/simulator/found.ts'
import { drawPopulation } from '../../src/simulator/population.ts'
import { openWorld } from '../../src/simulator/world.ts'
import { freshDatabase } from '../support/database.ts'

const START = new Date('2025-09-01T00:00:00+08:00')

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'winback-found-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

function live() {
  const population = drawPopulation({ seed: 2025, size: 1500, start: START })
  const world = openWorld(population)
  const history = world.advance(population.start)
  return { population, history, planted: plantActs(world) }
}

test('acts are planted alike each time, after the last visit and before day 0', () => {
  const { planted } = live()
  expect(live().planted).toEqual(planted)
  for (const { acts } of planted) for (const act of acts) expect(act.at).toBeLessThan(START.getTime())
})

test('signals find what was planted, by file import and the facts that conditions use', async () => {
  const { population, history, planted } = live()
  const clock = manualClock(START)
  const database = await freshDatabase()
  try {
    await writeWorkspace(folder, { name: 'Town', timezone: 'Asia/Shanghai', overwrite: true })
    const { definition: workspace } = await loadWorkspace(join(folder, 'winback.yaml'), environmentFrom({}))
    const acts = planted.flatMap((person) => person.acts)
    const files = await writeFiles(join(folder, 'data'), population, history, acts)
    const options = { clock, workspace, asOf: START }
    await importContacts(database, files.contacts, options)
    const imported = await importActivity(database, files.activity, options)
    expect(imported.rejected).toBe(0)
    await freshenSignals({ database, workspace, clock })
    const found = await findPlanted(database, workspace, planted, START)
    const of = (what: string) => {
      const finding = found.find((each) => each.what === what)
      if (!finding || finding.planted === 0) throw new Error(`nothing is planted of ${what}`)
      return {
        recall: finding.right / finding.planted,
        precision: finding.right / Math.max(1, finding.found),
      }
    }
    // A membership is a plain fact; grades differ only by falls in use, which nobody planted.
    expect(of('membership ends')).toEqual({ recall: 1, precision: 1 })
    expect(of('risk severe').recall).toBe(1)
    expect(of('risk medium').recall).toBeGreaterThan(0.8)
    expect(of('really lost').precision).toBeGreaterThan(0.85)
    expect(of('only quiet').recall).toBeGreaterThan(0.6)
    expect(formatPlanted(found, 'zh-CN', false)).toContain('假性流失')
  } finally {
    await database.close()
  }
})
