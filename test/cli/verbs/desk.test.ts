import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { openOutput } from '../../../src/cli/output.ts'
import { openDesk } from '../../../src/cli/verbs/desk.ts'
import { type DatabaseContext, withWorkspace } from '../../../src/cli/workspace.ts'
import { manualClock } from '../../../src/clock.ts'
import { environmentFrom } from '../../../src/config/environment.ts'
import { openCliShop, run } from '../command.ts'

// The verbs plan, apply and preview as the pages use them: on the files as they lie on disk at that moment.

let shop: string
let url: string

beforeAll(async () => {
  const { database, here } = await openCliShop()
  shop = here.cwd
  url = database.url
  await writeFile(
    join(shop, 'people.csv'),
    'external_id,email,first_name,status,locale,signed_up_at\nann-7,ann@desk.test,Ann,active,en,2026-02-25\n',
  )
  await writeFile(
    join(shop, 'events.csv'),
    'external_id,type,occurred_at\nann-7,session,2026-02-26T08:00:00Z\n',
  )
  expect((await run(['import', 'contacts', 'people.csv'], here)).code).toBe(0)
  expect((await run(['import', 'activity', 'events.csv'], here)).code).toBe(0)
})

/** The desk of a process that serves this workspace. */
const atDesk = <T>(work: (desk: ReturnType<typeof openDesk>, context: DatabaseContext) => Promise<T>) => {
  const silent = { write: () => {} }
  return withWorkspace(
    {
      environment: environmentFrom({ DATABASE_URL: url }),
      output: openOutput({ json: true, noColor: true, stdout: silent, stderr: silent }),
      cwd: shop,
      workspaceFile: undefined,
      clock: manualClock(new Date('2026-03-02T09:00:00Z')),
      interrupt: new AbortController().signal,
    },
    (context) => work(openDesk(context), context),
  )
}
const campaign = () => join(shop, 'campaigns', 'graded-recall.yaml')

test('lists the files with what is wrong in them, as they are now', async () => {
  await atDesk(async (desk) => {
    const { campaigns, problems } = await desk.files()
    expect(campaigns).toMatchObject([
      { campaign: 'graded-recall', inputs: expect.stringMatching(/^[0-9a-f]{64}$/) },
    ])
    expect(campaigns[0]?.steps).toContainEqual(expect.objectContaining({ tier: 'coupon', step: 'coupon' }))
    // Also what the return releases: the page of templates shows it.
    expect(campaigns[0]?.steps.at(-1)).toMatchObject({ tier: 'on_return', step: 'welcome' })
    expect(problems.filter(({ severity }) => severity === 'error')).toEqual([])
    const source = await readFile(campaign(), 'utf8')
    await writeFile(campaign(), source.replace('inactive: 7d..15d', 'inactve: 7d..15d'))
    const broken = (await desk.files()).problems.find(({ severity }) => severity === 'error')
    expect(broken?.where).toMatch(/graded-recall\.yaml:\d+ tiers\[1\]/)
    await writeFile(campaign(), source)
  })
})

test('applies what was planned, and refuses once a file has changed since', async () => {
  await atDesk(async (desk) => {
    const plan = await desk.plan('graded-recall')
    expect(plan).toMatchObject({
      campaign: 'graded-recall',
      changed: true,
      // A gift of 3, redeemed by six in ten, to nine of ten.
      figures: {
        ...{ timezone: expect.any(String), condition: 'contact.status == "active"', goal: 'session' },
        released: 1_620_000,
      },
    })
    // Figures alone are kept: nobody's name or address.
    expect(JSON.stringify(plan)).not.toMatch(/ann@|Ann\b|ann-7/)
    const { inputs } = plan
    const over = plan.figures.version.current
    const apply = () => desk.apply('graded-recall', { inputs, over }, 'web')
    expect(await apply()).toEqual({ version: 1, applied: true })
    expect(await apply()).toEqual({ version: 1, applied: false })
    expect((await desk.plan('graded-recall')).changed).toBe(false)
    const source = await readFile(campaign(), 'utf8')
    await writeFile(campaign(), source.replace('holdout: 10%', 'holdout: 20%'))
    await expect(apply()).rejects.toMatchObject({ code: 'plan.changed' })
    const again = await desk.plan('graded-recall')
    const late = desk.apply('graded-recall', { inputs: again.inputs, over }, 'web')
    await expect(late).rejects.toMatchObject({ code: 'plan.overtaken' })
    await expect(desk.plan('nothing')).rejects.toThrow('nothing')
  })
})

test('shows a step as one contact would get it, or as any would; masked unless asked', async () => {
  await atDesk(async (desk) => {
    const wanted = { contact: 'ann-7', locale: undefined, language: 'en', unmasked: false } as const
    const masked = await desk.preview('graded-recall', 'coupon', wanted)
    expect(masked).toMatchObject({ contact: 'ann-7', segment: 'everyone' })
    expect(masked.outcome).toMatch(/step/)
    expect(`${masked.subject} ${masked.text}`).not.toContain('Ann')
    const whole = await desk.preview('graded-recall', 'coupon', {
      ...wanted,
      contact: undefined,
      unmasked: true,
    })
    expect(whole.subject).toContain('Ann')
    expect(whole.html).toContain('</')
    const chinese = await desk.preview('graded-recall', 'coupon', {
      ...wanted,
      locale: 'zh-CN',
      language: 'zh-CN',
    })
    expect(chinese.subject).toMatch(/[\u4e00-\u9fff]/)
    expect(chinese.outcome).toMatch(/[\u4e00-\u9fff]/)
    expect((await desk.preview('graded-recall', 'welcome', wanted)).text).toContain('back')
    await expect(
      desk.preview('graded-recall', 'coupon', { ...wanted, contact: 'nobody' }),
    ).rejects.toMatchObject({
      code: 'contact.unknown',
    })
  })
})

test('plans and applies no text that nobody could read, and names it among what is wrong', async () => {
  const file = join(shop, 'templates', 'come-back.en.hbs')
  const source = await readFile(file, 'utf8')
  await atDesk(async (desk) => {
    const { inputs } = await desk.plan('graded-recall')
    await writeFile(file, `${source}{{#if contact.first_name}}`)
    await expect(desk.plan('graded-recall')).rejects.toMatchObject({ code: 'config.invalid' })
    await expect(desk.apply('graded-recall', { inputs, over: 1 }, 'web')).rejects.toMatchObject({
      code: 'config.invalid',
    })
    const where = expect.stringMatching(/templates\/come-back\.en\.hbs:\d+$/)
    expect((await desk.files()).problems).toContainEqual({
      where,
      message: expect.stringContaining('{{#if}} is closed nowhere'),
      severity: 'error',
    })
    await writeFile(file, source)
  })
})

test('plans nothing by a winback.yaml that was edited since the process began, and says so of it', async () => {
  const file = join(shop, 'winback.yaml')
  const source = await readFile(file, 'utf8')
  await atDesk(async (desk) => {
    const { inputs } = await desk.plan('graded-recall')
    await writeFile(file, source.replace(/^name: .*$/m, 'name: Another house'))
    const refused = { code: 'workspace.edited', remedy: expect.stringContaining('Restart') }
    await expect(desk.plan('graded-recall')).rejects.toMatchObject(refused)
    await expect(desk.apply('graded-recall', { inputs, over: 1 }, 'web')).rejects.toMatchObject(refused)
    const { campaigns, problems } = await desk.files()
    expect(campaigns).toHaveLength(1)
    expect(problems[0]).toMatchObject({ where: 'winback.yaml', message: expect.stringContaining('edited') })
    await writeFile(file, source)
    expect((await desk.plan('graded-recall')).inputs).toBe(inputs)
  })
})
