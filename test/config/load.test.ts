import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { environmentFrom } from '../../src/config/environment.ts'
import { findCampaigns, loadCampaign, loadWorkspace } from '../../src/config/load.ts'
import { scratchDirectory } from '../support/scratch.ts'
import { CAMPAIGN_YAML, sampleTemplates, WORKSPACE_YAML } from './support/samples.ts'

let folder: string
const write = (name: string, content: string | Buffer) => writeFileSync(join(folder, name), content)
const workspace = () => loadWorkspace(join(folder, 'winback.yaml'), environmentFrom({}))

beforeEach(() => {
  folder = scratchDirectory()
  mkdirSync(join(folder, 'campaigns'))
  write('winback.yaml', WORKSPACE_YAML)
  write('campaigns/b.yaml', CAMPAIGN_YAML)
})

test('a workspace and its campaigns', async () => {
  write('campaigns/a.yml', CAMPAIGN_YAML)
  write('campaigns/.hidden.yaml', '')
  write('campaigns/notes.txt', '')
  const loaded = await workspace()
  expect(loaded).toMatchObject({
    source: WORKSPACE_YAML,
    directory: folder,
    warnings: [],
    definition: { name: 'Shop' },
  })
  const files = await findCampaigns(loaded)
  expect(files).toEqual([join(folder, 'campaigns/a.yml'), join(folder, 'campaigns/b.yaml')])
  const campaign = await loadCampaign(files[1] ?? '', loaded, sampleTemplates())
  expect(campaign).toMatchObject({
    file: files[1],
    source: CAMPAIGN_YAML,
    definition: { campaign: 'graded' },
  })
})

test('every problem in one error', async () => {
  write('winback.yaml', WORKSPACE_YAML.replace('name: Shop', 'nmae: Shop').replace('Asia/Shanghai', 'Mars'))
  await expect(workspace()).rejects.toMatchObject({
    code: 'config.invalid',
    problems: [{ path: 'nmae', suggestion: 'name' }, { path: 'timezone' }],
  })
})

test('files that cannot be read say why', async () => {
  const loaded = await workspace()
  await expect(loadCampaign(join(folder, 'none.yaml'), loaded, sampleTemplates())).rejects.toMatchObject({
    code: 'config.unreadable',
    message: expect.stringContaining('cannot be read: there is no such file'),
    location: { file: join(folder, 'none.yaml') },
  })
  write('campaigns/latin.yaml', Buffer.from('title: Grüße\n', 'latin1'))
  await expect(
    loadCampaign(join(folder, 'campaigns/latin.yaml'), loaded, sampleTemplates()),
  ).rejects.toMatchObject({
    code: 'config.unreadable',
    remedy: 'Save the file as UTF-8.',
  })
  write('campaigns/old-mac.yaml', 'title: x\rversion: 1\r')
  await expect(
    loadCampaign(join(folder, 'campaigns/old-mac.yaml'), loaded, sampleTemplates()),
  ).rejects.toMatchObject({ message: expect.stringMatching(/is one line: it ends lines by CR alone$/) })
  write('winback.yaml', `${WORKSPACE_YAML}campaigns: nowhere\n`)
  await expect(workspace().then(findCampaigns)).rejects.toMatchObject({ code: 'config.unreadable' })
})
