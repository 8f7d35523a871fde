import { generateKeyPairSync } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import webpush from 'web-push'
import { parse, stringify } from 'yaml'
import { parseTemplates, readTemplateFiles } from '../../src/channels/templates.ts'
import { environmentFrom } from '../../src/config/environment.ts'
import { loadCampaign, loadWorkspace } from '../../src/config/load.ts'
import { ConfigError } from '../../src/errors.ts'
import { blocksOf, ROOT, readPage, readPages } from './pages.ts'

// Every example of a campaign or a workspace in the pages is checked as `winback validate` would.

const folder = mkdtempSync(join(tmpdir(), 'winback-docs-'))
mkdirSync(join(folder, 'campaigns'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const blocks = readPages().flatMap((page) => blocksOf(page).map((block) => ({ ...block, page: page.path })))
const [workspaceExample] = blocksOf(readPage('docs/campaigns.md')).filter(({ info }) => info === 'workspace')
const [wholeCampaign] = blocksOf(readPage('docs/campaigns.md')).filter(({ info }) => info === 'campaign')

const { publicKey, privateKey } = webpush.generateVAPIDKeys()
/** What the examples refer to. */
const environment = environmentFrom({
  SHOP_DATABASE_URL: 'postgres://winback_reader:x@db.internal/shop',
  VAPID_PUBLIC_KEY: publicKey,
  VAPID_PRIVATE_KEY: privateKey,
  FCM_PRIVATE_KEY: generateKeyPairSync('ec', { namedCurve: 'P-256' })
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString(),
  ...Object.fromEntries(
    ['ALIYUN_KEY_ID', 'ALIYUN_KEY_SECRET', 'ALIYUN_CALLBACK_TOKEN', 'JPUSH_APP_KEY', 'JPUSH_MASTER_SECRET']
      .concat('TAP_SECRET', 'LETTERS_SECRET', 'ROBOT_SECRET')
      .map((name) => [name, 'a secret of more than 16']),
  ),
})

/** @param fragment of a workspace, in the place of what the whole example says there */
async function problemsOf(campaign: string, fragment: object = {}): Promise<unknown> {
  const file = join(folder, 'winback.yaml')
  const whole = parse(workspaceExample?.code ?? '')
  const channels = { ...whole.channels, ...('channels' in fragment ? (fragment.channels as object) : {}) }
  writeFileSync(file, stringify({ ...whole, ...fragment, channels }))
  try {
    const workspace = await loadWorkspace(file, environment)
    const { locales } = workspace.definition
    const templates = parseTemplates(await readTemplateFiles(join(ROOT, 'templates')), { locales })
    const path = join(folder, 'campaigns', 'example.yaml')
    writeFileSync(path, campaign)
    await loadCampaign(path, workspace, templates)
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(({ path, message }) => `${path}: ${message}`)
    throw error
  }
}

describe('examples', () => {
  it('are there', () => {
    expect(workspaceExample).toBeDefined()
    expect(wholeCampaign).toBeDefined()
    expect(blocks.filter(({ info }) => info === 'campaign fragment').length).toBeGreaterThan(1)
  })

  for (const { page, line, code, info } of blocks) {
    if (info === 'campaign') {
      it(`${page}:${line} is a campaign without a mistake`, async () => {
        expect(await problemsOf(code)).toEqual([])
      })
    }
    if (info === 'workspace fragment') {
      it(`${page}:${line} fits into the workspace`, async () => {
        expect(await problemsOf(wholeCampaign?.code ?? '', parse(code))).toEqual([])
      })
    }
    if (info === 'campaign fragment') {
      it(`${page}:${line} fits into the whole campaign`, async () => {
        const merged = { ...parse(wholeCampaign?.code ?? ''), ...parse(code) } as Record<string, unknown>
        // A tier list of its own may leave the example's offers and segments unused, which is no mistake.
        expect(await problemsOf(stringify(merged))).toEqual([])
      })
    }
  }

  it('with a mistake would be found', async () => {
    expect(await problemsOf((wholeCampaign?.code ?? '').replace('7d..14d', '7d..13d'))).not.toEqual([])
  })
})
