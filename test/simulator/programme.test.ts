import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { parseTemplates, readTemplateFiles } from '../../src/channels/templates.ts'
import { SHIPPED_CAMPAIGNS, writeWorkspace } from '../../src/cli/verbs/init.ts'
import { environmentFrom } from '../../src/config/environment.ts'
import { findCampaigns, loadCampaign, loadWorkspace } from '../../src/config/load.ts'
import { plantActs } from '../../src/simulator/acts.ts'
import { drawPopulation } from '../../src/simulator/population.ts'
import { plantRenewals, writeProgramme } from '../../src/simulator/programme.ts'
import { openProviders } from '../../src/simulator/providers/providers.ts'
import { openWorld } from '../../src/simulator/world.ts'

const START = new Date('2025-09-01T00:00:00+08:00')

test('the demo’s campaigns are valid with its providers, and run at one hour of the day', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'winback-programme-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const population = drawPopulation({ seed: 1, size: 50, start: START })
  const providers = await openProviders(population, folder)
  onTestFinished(() => providers.close())
  const values = { name: 'Lantern Tea', timezone: 'Asia/Shanghai', overwrite: true }
  const { channels } = providers
  await writeWorkspace(folder, { ...values, channels, campaigns: SHIPPED_CAMPAIGNS })
  await writeProgramme(folder)
  const workspace = await loadWorkspace(join(folder, 'winback.yaml'), environmentFrom({}))
  expect(workspace.warnings).toEqual([])
  const { locales } = workspace.definition
  const templates = parseTemplates(await readTemplateFiles(join(folder, 'templates')), { locales })
  const files = await findCampaigns(workspace)
  const loaded = await Promise.all(files.map((file) => loadCampaign(file, workspace, templates)))
  expect(loaded.flatMap(({ warnings }) => warnings)).toEqual([])
  expect(loaded.map(({ definition }) => [definition.campaign, definition.schedule])).toEqual([
    ['at-risk', '0 9 * * 1'],
    ['graded-recall', '0 9 * * *'],
    ['renewal', '0 9 * * *'],
    ['thanks', '0 9 */2 * *'],
    ['unhappy', '0 9 * * 1'],
  ])
  // No step goes to the log, and every channel there is has one.
  const used = loaded.flatMap(({ definition: { tiers, on_return: greeting } }) =>
    [...tiers.flatMap(({ steps }) => steps), ...greeting].flatMap(({ channel }) => channel),
  )
  expect([...new Set(used)].toSorted()).toEqual(['callback', 'email', 'inapp', 'push', 'sms', 'webhook'])
})

test('over half of the members renew, around the end of their membership, whoever writes to them', () => {
  const population = drawPopulation({ seed: 1, size: 3000, start: START })
  const world = openWorld(population)
  world.advance(population.start)
  const planted = plantActs(world)
  const ends = new Map(planted.map(({ externalId, membershipEnds }) => [externalId, membershipEnds]))
  const renewals = plantRenewals(population, planted)
  const members = planted.filter(({ membershipEnds }) => membershipEnds !== undefined).length
  expect(renewals.length / members).toBeGreaterThan(0.4)
  expect(renewals.length / members).toBeLessThan(0.65)
  const days = renewals.map(({ externalId, at }) => Math.abs(at - (ends.get(externalId) ?? 0)) / 86_400_000)
  expect(Math.max(...days)).toBeLessThanOrEqual(5)
  expect(renewals.map(({ at }) => at)).toEqual(renewals.map(({ at }) => at).toSorted((a, b) => a - b))
  expect(plantRenewals(population, planted)).toEqual(renewals)
})
