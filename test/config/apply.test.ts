import { sql } from 'drizzle-orm'
import { beforeEach, describe, expect, test } from 'vitest'
import { manualClock } from '../../src/clock.ts'
import { applyCampaign, campaignHistory, rollbackCampaign } from '../../src/config/apply.ts'
import { openCampaignBook } from '../../src/config/book.ts'
import { inputsHash, planHash, shortHash, templatesHash } from '../../src/config/inputs.ts'
import { parseCampaign } from '../../src/config/load.ts'
import { pause, readSwitches, resume, stop } from '../../src/config/switches.ts'
import { type Database, rows } from '../../src/database/connect.ts'
import { ConfigError } from '../../src/errors.ts'
import { freshDatabase } from '../support/database.ts'
import { untilWaiting } from '../support/waiting.ts'
import { CAMPAIGN_YAML, sampleTemplates, sampleWorkspace, WORKSPACE_YAML } from './support/samples.ts'

const workspace = sampleWorkspace()
const clock = manualClock(new Date('2026-11-25T01:00:00Z'))
const files = { 'reminder.en.hbs': 'Hello', 'coupon.en.hbs': 'Five off' }

/** What `apply` is given for the sample campaign, its title changed. */
function input(title = 'Graded recall', more: object = {}) {
  const source = CAMPAIGN_YAML.replace('title: Graded recall', `title: ${title}`)
  return {
    loaded: parseCampaign('/shop/campaigns/graded.yaml', source, workspace, sampleTemplates()),
    templateFiles: files,
    workspace: { definition: workspace, source: WORKSPACE_YAML, directory: '/shop' },
    clock,
    by: 'ann',
    ...more,
  }
}

let database: Database
beforeEach(async () => {
  database = await freshDatabase()
})

const count = async (table: string) => {
  const [row] = await rows<{ n: number }>(database, sql.raw(`SELECT count(*) AS n FROM ${table}`))
  return row?.n
}

describe('apply', () => {
  test('the first version, the same again, and a changed one', async () => {
    expect(await applyCampaign(database, input())).toMatchObject({
      outcome: 'applied',
      version: 1,
      previous: undefined,
    })
    expect(await applyCampaign(database, input())).toMatchObject({ outcome: 'unchanged', version: 1 })
    const salts = () => rows<{ salt: string }>(database, sql`SELECT salt FROM campaigns`)
    const before = await salts()
    expect(before).toMatchObject([{ salt: expect.stringMatching(/^[0-9a-f]{32}$/) }])

    clock.advance(60)
    expect(await applyCampaign(database, input('Other'))).toMatchObject({
      outcome: 'applied',
      version: 2,
      previous: 1,
    })
    expect(await salts()).toEqual(before)
    expect(await count('template_sets')).toBe(1)
    expect(
      await rows(
        database,
        sql`SELECT tier_no, tier, step_no, step, channels FROM steps WHERE version = 2 ORDER BY step_id`,
      ),
    ).toEqual([
      { tier_no: 1, tier: 'coupon', step_no: 1, step: 'remind', channels: ['email'] },
      { tier_no: 1, tier: 'coupon', step_no: 2, step: 'coupon', channels: ['email', 'log'] },
      { tier_no: 2, tier: 'letter', step_no: 1, step: 'letter', channels: ['log'] },
    ])
    expect(await campaignHistory(database, 'graded')).toMatchObject([
      { version: 2, current: true, appliedAt: clock.now(), appliedBy: 'ann', file: 'campaigns/graded.yaml' },
      { version: 1, current: false, restores: undefined },
    ])
  })

  test('a plan that is no longer true is refused, and nothing is written', async () => {
    const { inputs } = await applyCampaign(database, input())
    const expectedPlan = shortHash(planHash(inputs, 1))
    await expect(applyCampaign(database, input('Other', { expectedPlan }))).rejects.toMatchObject({
      code: 'plan.changed',
      remedy: 'Run `winback plan` again and look at what it says.',
    })
    await expect(applyCampaign(database, input('Other', { expectedPlan: 'abc' }))).rejects.toMatchObject({
      code: 'plan.hash',
    })
    expect(await count('campaign_versions')).toBe(1)
    expect(await applyCampaign(database, input('Graded recall', { expectedPlan }))).toMatchObject({
      outcome: 'unchanged',
    })
  })

  test('a plan is refused where another version was applied since: it would take that one back', async () => {
    const hashOf = (title: string) => {
      const campaign = CAMPAIGN_YAML.replace('title: Graded recall', `title: ${title}`)
      return inputsHash({ campaign, workspace: WORKSPACE_YAML, templates: files })
    }
    const planned = (title: string, over: number | null) =>
      applyCampaign(database, input(title, { expectedPlan: shortHash(planHash(hashOf(title), over)) }))
    expect(await planned('A', null)).toMatchObject({ outcome: 'applied', version: 1 })
    const first = planned('B', null)
    await expect(first).rejects.toMatchObject({
      code: 'plan.overtaken',
      message: expect.stringMatching(/^version 1 of graded was applied since plan \w+, which knew of none$/),
    })
    expect(await planned('B', 1)).toMatchObject({ outcome: 'applied', version: 2 })
    await expect(planned('C', 1)).rejects.toMatchObject({
      code: 'plan.overtaken',
      message: expect.stringMatching(/version 2 of graded .* what would change of version 1$/),
      remedy: 'Run `winback plan` again and look at what it says.',
      facts: { campaign: 'graded', version: 2 },
    })
    // The same again, as where the answer was lost.
    expect(await planned('B', 1)).toMatchObject({ outcome: 'unchanged', version: 2 })
    expect(await count('campaign_versions')).toBe(2)
  })

  test('many at once: each change is one version, the same change is made once', async () => {
    const titles = ['A', 'A', 'B', 'B', 'A', 'B']
    const results = await Promise.all(titles.map((title) => applyCampaign(database, input(title))))
    const versions = results.filter(({ outcome }) => outcome === 'applied').map(({ version }) => version)
    expect(versions.toSorted()).toEqual(Array.from({ length: versions.length }, (_, no) => no + 1))
    expect(await count('campaign_versions')).toBe(versions.length)
    expect(await count('steps')).toBe(versions.length * 3)
    expect(await count('campaigns')).toBe(1)

    const same = await Promise.all(Array.from({ length: 5 }, () => applyCampaign(database, input('C'))))
    expect(same.filter(({ outcome }) => outcome === 'applied')).toHaveLength(1)
  })
})

describe('the hash of the inputs', () => {
  const inputs = { campaign: 'a: 1\n', workspace: 'b: 1\n', templates: { x: '1', y: '2' } }
  test('does not know the order of files or the line breaks of an editor', () => {
    expect(inputsHash({ ...inputs, templates: { y: '2', x: '1' } })).toBe(inputsHash(inputs))
    expect(inputsHash({ ...inputs, campaign: 'a: 1\r\n' })).toBe(inputsHash(inputs))
    expect(shortHash(inputsHash(inputs))).toMatch(/^[0-9a-f]{12}$/)
  })
  test('knows everything else', () => {
    const others = [
      { ...inputs, campaign: 'a: 1 # why\n' },
      { ...inputs, workspace: 'b: 2\n' },
      { ...inputs, templates: { x: '12', y: '' } },
      { ...inputs, templates: { x: '1', z: '2' } },
      { ...inputs, campaign: 'a: 1\nb', workspace: ': 1\n' },
    ]
    expect(new Set([inputs, ...others].map(inputsHash)).size).toBe(others.length + 1)
    expect(templatesHash({ a: 'bc' })).not.toBe(templatesHash({ ab: 'c' }))
  })
})

describe('rollback', () => {
  const indexTemplates = () => sampleTemplates()
  const back = (more: object = {}) =>
    rollbackCampaign(database, 'graded', {
      ...{ clock, by: 'bob', indexTemplates },
      workspace: { definition: workspace, source: WORKSPACE_YAML },
      ...more,
    })

  test('makes a new version of an old text, and twice goes two back', async () => {
    for (const title of ['A', 'B', 'C']) await applyCampaign(database, input(title))
    expect(await back()).toEqual({ campaign: 'graded', version: 4, restores: 2, previous: 3 })
    expect(await back()).toEqual({ campaign: 'graded', version: 5, restores: 1, previous: 4 })
    await expect(back()).rejects.toMatchObject({
      code: 'version.unknown',
      message: 'there is nothing before version 1 of graded (the current version 5 restores it)',
      remedy: expect.stringContaining('--to; there are 1, 2, 3, 4, 5'),
    })
    expect(await back({ to: 3 })).toEqual({ campaign: 'graded', version: 6, restores: 3, previous: 5 })
    await expect(back({ to: 9 })).rejects.toMatchObject({ code: 'version.unknown' })
    expect(await campaignHistory(database, 'graded')).toMatchObject([
      { version: 6, current: true, restores: 3, appliedBy: 'bob' },
      { version: 5, restores: 1 },
      { version: 4, restores: 2 },
      {},
      {},
      {},
    ])
    expect(
      await rows(
        database,
        sql`SELECT a.step FROM steps a JOIN steps b USING (tier_no, step_no, step, tier, channels) WHERE a.version = 2 AND b.version = 4`,
      ),
    ).toHaveLength(3)
    // Applying what is current again changes nothing.
    expect(await applyCampaign(database, input('C'))).toMatchObject({ outcome: 'unchanged', version: 6 })
  })

  test('is refused where the old text no longer fits the workspace', async () => {
    for (const title of ['A', 'B']) await applyCampaign(database, input(title))
    const changed = { definition: sampleWorkspace({ attributes: {} }), source: WORKSPACE_YAML }
    const refused: unknown = await back({ workspace: changed }).catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(ConfigError)
    // The files on disk are others: their lines must not be quoted.
    const places = new Set((refused as ConfigError).problems.map(({ location }) => location.file))
    expect([...places]).toContain('campaigns/graded.yaml (version 1)')
    expect([...places]).not.toContain('campaigns/graded.yaml')
    expect(await count('campaign_versions')).toBe(2)
    expect(await back()).toMatchObject({ version: 3 })
  })

  test('keeps of the workspace what it says today, and its hash says so', async () => {
    const controlled = (control: number) => ({
      definition: { ...workspace, control },
      source: WORKSPACE_YAML.replace('control: 5%', `control: ${control * 100}%`),
      directory: '/shop',
    })
    const [small, large] = [controlled(0.05), controlled(0.2)]
    const apply = (title: string, kept: typeof small) =>
      applyCampaign(database, input(title, { workspace: kept }))
    await apply('A', small)
    await apply('B', large)
    await back({ workspace: large })
    const controls = () =>
      rows(
        database,
        sql`SELECT (workspace ->> 'control')::float8 AS control FROM campaign_versions ORDER BY version`,
      )
    expect(await controls()).toEqual([{ control: 0.05 }, { control: 0.2 }, { control: 0.2 }])
    expect(await apply('A', large)).toMatchObject({ outcome: 'unchanged', version: 3 })
    expect(await apply('A', small)).toMatchObject({ outcome: 'applied', version: 4 })
    expect((await controls()).at(-1)).toEqual({ control: 0.05 })
  })

  test('of a campaign that was never applied', async () => {
    await expect(back()).rejects.toMatchObject({ code: 'campaign.unknown' })
  })
})

describe('the book', () => {
  test('knows every version, the current one, and steps by id', async () => {
    const indexed: unknown[] = []
    const book = openCampaignBook(database, workspace, (given) => {
      indexed.push(given)
      return sampleTemplates()
    })
    expect(await book.current('graded')).toBeUndefined()
    await applyCampaign(database, input('A'))
    const first = await book.current('graded')
    expect(first).toMatchObject({
      version: 1,
      timezone: 'Asia/Shanghai',
      exclusive: 'campaign:graded',
      templateSet: templatesHash(files),
    })
    await applyCampaign(database, input('B'))
    expect((await book.current('graded'))?.version).toBe(2)
    expect(await book.campaign('graded', 1)).toBe(first)
    expect(indexed).toEqual([files, files])

    const [row] = await rows<{ step_id: number }>(
      database,
      sql`SELECT step_id FROM steps WHERE version = 1 AND step = 'coupon'`,
    )
    const { campaign, step } = await book.step(row?.step_id ?? 0)
    expect(campaign).toBe(first)
    expect(step).toMatchObject({
      id: 'coupon',
      tierNo: 1,
      stepNo: 2,
      after: 86_400,
      channels: ['email', 'log'],
      tier: 'coupon',
    })
    expect(
      [...step.templates].map(([segment, { name, facts }]) => [segment, name, facts.map(({ path }) => path)]),
    ).toEqual([
      ['everyone', 'coupon', ['contact.first_name']],
      ['high_value', 'coupon-vip', ['contact.points']],
    ])
    expect(step.templates.get('high_value')?.facts[0]?.stale).toBeDefined()
    expect(step.otherwise).toEqual({ name: 'come-back', facts: [], offered: false })
    expect(step.offer?.name).toBe('five_off')
    expect(step.condition?.source).toBe('!(remind.failed || segment == "high_value")')
    await expect(book.step(99)).rejects.toMatchObject({ code: 'step.unknown' })
    await expect(book.campaign('graded', 9)).rejects.toMatchObject({ code: 'version.unknown' })
  })

  test('a version that runs outlives a change of the workspace that its checks would refuse', async () => {
    await applyCampaign(database, input())
    const book = openCampaignBook(database, sampleWorkspace({ channels: {} }), () => sampleTemplates())
    expect((await book.current('graded'))?.version).toBe(1)
  })

  test('asks again after a failure', async () => {
    await applyCampaign(database, input())
    let broken = true
    const book = openCampaignBook(database, workspace, () => {
      if (broken) throw new Error('disk')
      return sampleTemplates()
    })
    await expect(book.current('graded')).rejects.toThrow('disk')
    broken = false
    expect((await book.current('graded'))?.version).toBe(1)
  })
})

describe('switches', () => {
  const campaign = { scope: 'campaign', name: 'graded' } as const

  test('pause, resume and stop', async () => {
    const reason = { reason: 'wrong price', clock }
    expect(await resume(database, campaign)).toMatchObject({ outcome: 'unchanged' })
    expect(await pause(database, campaign, reason)).toMatchObject({
      outcome: 'changed',
      now: { state: 'paused', since: clock.now() },
    })
    expect(await pause(database, campaign, { reason: 'again', clock })).toMatchObject({
      outcome: 'unchanged',
      now: { reason: 'wrong price' },
    })
    await pause(database, { scope: 'workspace', name: '*' }, reason)
    await pause(database, { scope: 'channel', name: 'email' }, reason)
    expect((await readSwitches(database)).map(({ scope, name }) => `${scope} ${name}`)).toEqual([
      'workspace *',
      'campaign graded',
      'channel email',
    ])
    expect(await resume(database, { scope: 'channel', name: 'email' })).toMatchObject({
      outcome: 'changed',
      before: { state: 'paused' },
    })

    expect(await stop(database, campaign, { reason: 'season over', clock })).toMatchObject({
      now: { state: 'stopped', reason: 'season over' },
    })
    await expect(resume(database, campaign)).rejects.toMatchObject({ code: 'switch.stopped' })
    await expect(pause(database, campaign, reason)).rejects.toMatchObject({ code: 'switch.stopped' })
    expect(await readSwitches(database)).toHaveLength(2)
  })

  test('a stop is never undone by a pause made at the same time', async () => {
    const other = await database.client.connect()
    try {
      await other.query('BEGIN')
      await other.query(`INSERT INTO switches VALUES ('campaign', 'graded', 'stopped', 's', '2026-11-25')`)
      // The pause sees no switch, and waits for the row the other is about to commit. It may be refused before the
      // commit's own answer is here, so what is expected of it stands before.
      const refused = expect(pause(database, campaign, { reason: 'p', clock })).rejects.toMatchObject({
        code: 'switch.stopped',
      })
      await untilWaiting(database)
      await other.query('COMMIT')
      await refused
    } finally {
      other.release()
    }
    expect(await readSwitches(database)).toMatchObject([{ state: 'stopped', reason: 's' }])
  })
})
