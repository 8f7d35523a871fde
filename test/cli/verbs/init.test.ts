import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { parseSender } from '../../../src/channels/email/address.ts'
import { parseTemplates, readTemplateFiles } from '../../../src/channels/templates.ts'
import { SHIPPED_CAMPAIGNS, writeWorkspace } from '../../../src/cli/verbs/init.ts'
import { environmentFrom } from '../../../src/config/environment.ts'
import { findCampaigns, loadCampaign, loadWorkspace } from '../../../src/config/load.ts'
import { quoted, ROOT, readPage, tableUnder } from '../../docs/pages.ts'

import { run } from '../command.ts'

const values = { name: 'Shop', timezone: 'Asia/Shanghai', overwrite: false }

function folder(): string {
  const directory = mkdtempSync(join(tmpdir(), 'winback-init-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

it('writes every campaign that ships, each valid as it is in both languages', async () => {
  const directory = folder()
  await writeWorkspace(directory, { ...values, campaigns: SHIPPED_CAMPAIGNS })
  const workspace = await loadWorkspace(join(directory, 'winback.yaml'), environmentFrom({}))
  const { locales } = workspace.definition
  expect(locales).toEqual(expect.arrayContaining(['en', 'zh-CN']))
  const templates = parseTemplates(await readTemplateFiles(join(directory, 'templates')), { locales })
  expect(templates.problems()).toEqual([])
  // What the README shows of a fresh workspace.
  const verdict = `✓ winback.yaml, 1 campaign, ${templates.names().length} templates: nothing is wrong`
  expect(readPage('README.md').text).toContain(verdict)
  const files = await findCampaigns(workspace)
  const loaded = await Promise.all(files.map((file) => loadCampaign(file, workspace, templates)))
  expect(loaded.map(({ definition }) => definition.campaign).toSorted()).toEqual(SHIPPED_CAMPAIGNS.toSorted())
  expect(loaded.flatMap(({ warnings }) => warnings.map(({ message }) => message))).toEqual([])
  // Nine o’clock is that of the shop, whose zone init is told or finds.
  expect(loaded.flatMap(({ definition }) => definition.timezone ?? [])).toEqual([])
})

it('writes the default alone where nothing is said', async () => {
  const directory = folder()
  await writeWorkspace(directory, values)
  expect(readdirSync(join(directory, 'campaigns')).filter((name) => name.endsWith('.yaml'))).toEqual([
    'graded-recall.yaml',
  ])
})

it('ships what the page lists, and lists what it ships', async () => {
  const files = readdirSync(join(ROOT, 'campaigns')).filter((name) => name.endsWith('.yaml'))
  expect(files.map((name) => name.replace('.yaml', '')).toSorted()).toEqual(SHIPPED_CAMPAIGNS.toSorted())
  const listed = tableUnder(readPage('docs/campaigns.md'), '## The campaigns that ship')
  expect(listed.flatMap(([cell = '']) => quoted(cell))).toEqual([...SHIPPED_CAMPAIGNS])
  for (const name of SHIPPED_CAMPAIGNS) {
    expect(await readFile(join(ROOT, 'campaigns', `${name}.yaml`), 'utf8')).toContain(`campaign: ${name}\n`)
  }
})

it.each([
  'Lantern Tea',
  'Tea: Lantern',
  'Li "Tea"',
  'Tea <tea@b.example>',
  'a;b',
  'a\\',
  "O'Neil (茶)",
  '$5 Shop',
  '#1',
  'true',
])('writes a name that is read back as it was typed: %s', async (name) => {
  const directory = folder()
  const { code } = await run(['init', '.', '--name', name], { cwd: directory })
  expect(code).toBe(0)
  const { definition } = await loadWorkspace(join(directory, 'winback.yaml'), environmentFrom({}))
  expect(definition.name).toBe(name)
  expect(parseSender(definition.channels.email?.from ?? '')).toMatchObject({
    name,
    address: 'hello@example.com',
  })
})

it.each([
  ['${HOME}', 'would be read as what the environment holds'],
  ['Tea ${SHOP:-house}', 'would be read as what the environment holds'],
  ['$HOME', 'would be read as what the environment holds'],
  ['', 'A name has a letter at least'],
  ['  ', 'A name has a letter at least'],
  ['a\u0007', 'A name is one line of letters and signs'],
  ['a\nb', 'A name is one line of letters and signs'],
])('refuses a name that would not be read back: %j', async (name, says) => {
  const directory = folder()
  const { code, stderr } = await run(['init', '.', '--name', name], { cwd: directory })
  expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(says) })
  expect(readdirSync(directory)).toEqual([])
})

it('takes no reference from what a folder is called', async () => {
  const directory = folder()
  await run(['init', '${HOME}'], { cwd: directory })
  const file = join(directory, '${HOME}', 'winback.yaml')
  expect((await loadWorkspace(file, environmentFrom({}))).definition.name).toBe('HOME')
})
