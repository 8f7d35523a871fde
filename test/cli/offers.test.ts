import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { beforeAll, expect, test } from 'vitest'
import { type Database, execute, rows } from '../../src/database/connect.ts'
import { oneTierCampaign } from '../support/campaign.ts'
import { type CliShop, openCliShop, run } from './command.ts'

// Codes that come in by a file, redemptions too, and what is said while there are too few.

let database: Database
let here: CliShop['here']

beforeAll(async () => {
  ;({ database, here } = await openCliShop())
  const file = join(here.cwd, 'campaigns/graded-recall.yaml')
  const text = await readFile(file, 'utf8')
  await writeFile(
    file,
    text.replace('kind: coupon, amount', 'kind: coupon, deliver: code, codes: imported, amount'),
  )
  expect((await run(['apply'], here)).code).toBe(0)
})

const write = (name: string, text: string) => writeFile(join(here.cwd, name), text)

test('plan and doctor say that an offer of imported codes has none', async () => {
  const inChinese = await run(['plan', '--locale', 'zh-CN'], here)
  expect(inChinese.stderr).toContain(
    'graded-recall.five_off：尚未导入券码。请运行 `winback import codes graded-recall.five_off FILE`。',
  )
  const plan = await run(['plan', '--locale', 'en'], here)
  expect(plan.stderr).toContain('no codes were imported for graded-recall.five_off')
  expect(plan.stderr).toContain('winback import codes graded-recall.five_off FILE')
  const report = await run(['report', 'offers', 'graded-recall', '--locale', 'en'], here)
  expect(report.stdout).toContain('Nothing is left of five_off.')
  const doctor = await run(['doctor', '--json'], here)
  const { findings } = JSON.parse(doctor.stdout) as {
    findings: { check: string; state: string; found: string }[]
  }
  expect(findings).toContainEqual(
    expect.objectContaining({
      check: 'offers',
      state: 'wrong',
      found: 'no codes were imported for graded-recall.five_off',
    }),
  )
})

test('codes come in once each; a bad row goes to the reject file with its reason', async () => {
  await write('codes.csv', 'code,expires_at\nAAA-1,2099-01-01\nBBB-2,\n,2099-01-01\nCCC-3,never\naaa1,\n')
  const first = await run(
    ['import', 'codes', 'five_off', 'codes.csv', '--reject-file', 'bad.csv', '--json'],
    here,
  )
  expect(first.code).toBe(0)
  expect(JSON.parse(first.stdout)).toMatchObject({ kind: 'codes', rows: 5, inserted: 2, rejected: 2 })
  const rejects = await readFile(join(here.cwd, 'bad.csv'), 'utf8')
  expect(rejects).toContain('code: it is empty')
  expect(rejects).toMatch(/expires_at: .*never/)
  const again = await run(['import', 'codes', 'graded-recall.five_off', 'codes.csv', '--json'], here)
  expect(JSON.parse(again.stdout)).toMatchObject({ inserted: 0, rejected: 2 })
  expect((await run(['plan'], here)).stderr).not.toContain('no codes were imported')
})

test('the end of a code that nobody has yet may still be put right; another offer’s code is told apart', async () => {
  const kept = async () => {
    const found = await rows<{ code: string; ends: string | null }>(
      database,
      sql`SELECT code, to_char(expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS ends FROM offer_codes
        WHERE code LIKE 'END%' ORDER BY code`,
    )
    return found.map(({ code, ends }) => `${code} ${ends ?? 'never'}`)
  }
  const importing = async (offer: string, file: string) => {
    const { stdout } = await run(['import', 'codes', offer, file, '--json'], here)
    return JSON.parse(stdout) as { inserted: number; updated: number; rejected: number }
  }
  await write('ends-late.csv', 'code,Expires\nEND-1,2099-01-01\nEND-2,2099-01-01\nEND-3,2099-01-01\n')
  expect(await importing('five_off', 'ends-late.csv')).toMatchObject({ inserted: 3 })
  await execute(database, sql`UPDATE offer_codes SET contact_id = 1, grant_id = 1 WHERE code = 'END3'`)
  await execute(database, sql`UPDATE offer_codes SET offer = 'ten_off' WHERE code = 'END2'`)
  await write(
    'ends.csv',
    'code,expires_at\nEND-1,2099-02-01\nEND-2,2099-02-01\nend 3,2099-02-01\nend1,2099-03-01\n',
  )
  expect(await importing('five_off', 'ends.csv')).toMatchObject({ inserted: 0, updated: 1, rejected: 1 })
  expect(await readFile(join(here.cwd, 'ends.csv.rejects.csv'), 'utf8')).toContain(
    '3,code: it is one of graded-recall.ten_off,',
  )
  // What was given already was promised with its end.
  expect(await kept()).toEqual(['END1 2099-03-01', 'END2 never', 'END3 never'])
  expect(await importing('five_off', 'ends.csv')).toMatchObject({ inserted: 0, updated: 0, rejected: 1 })
  // Without the column, ends are left as they are.
  expect(await importing('five_off', 'ends-late.csv')).toMatchObject({ inserted: 0, updated: 0 })
  expect(await kept()).toContain('END1 2099-03-01')
  await execute(database, sql`DELETE FROM offer_codes WHERE code LIKE 'END%'`)
})

test('the moments of NDJSON may be numbers, and one that no calendar has stops nothing', async () => {
  const moments = '{"code":"NUM-1","expires_at":4070908800}\n{"code":"NUM-2","expires_at":4070908800000000}\n'
  await write('moments.ndjson', moments)
  const codes = await run(['import', 'codes', 'five_off', 'moments.ndjson', '--json'], here)
  expect(JSON.parse(codes.stdout)).toMatchObject({
    ...{ inserted: 1, rejected: 1 },
    reasons: [{ reason: expect.stringContaining('further away than any date'), line: 2 }],
  })
  expect(await rows(database, sql`SELECT expires_at AS at FROM offer_codes WHERE code = 'NUM1'`)).toEqual([
    { at: new Date('2099-01-01') },
  ])
  await execute(database, sql`DELETE FROM offer_codes WHERE code = 'NUM1'`)
  await write('moment.ndjson', '{"code":"NOBODY","redeemed_at":1767225600}\n')
  const used = await run(['import', 'redemptions', 'moment.ndjson', '--json'], here)
  expect(JSON.parse(used.stdout)).toMatchObject({ reasons: [{ reason: 'nobody was given this code' }] })
})

test('codes are for an offer that takes them', async () => {
  for (const [offer, says] of [
    ['fiv_off', 'no campaign has an offer `fiv_off`'],
    ['trial_card', '`graded-recall.trial_card` takes no imported codes'],
  ] as const) {
    const { code, stderr } = await run(['import', 'codes', offer, 'codes.csv'], here)
    expect(code).not.toBe(0)
    expect(stderr).toContain(says)
  }
})

test('codes are loaded before their campaign is applied, whatever else is wrong with the files', async () => {
  const applied = await readFile(join(here.cwd, 'campaigns/graded-recall.yaml'), 'utf8')
  const begun = join(here.cwd, 'campaigns/autumn.yaml')
  await writeFile(begun, applied.replace(/^campaign: .*/m, 'campaign: autumn').replace(/^tiers:/m, 'tears:'))
  await write('campaigns/broken.yaml', 'campaign: [\n')
  await write('early.csv', 'code\nEARLY1\n')
  const { code, stdout, stderr } = await run(
    ['import', 'codes', 'autumn.five_off', 'early.csv', '--json'],
    here,
  )
  expect(stderr).toBe('')
  expect({ code, ...JSON.parse(stdout) }).toMatchObject({ code: 0, inserted: 1 })
  expect(await rows(database, sql`SELECT campaign FROM offer_codes WHERE shown = 'EARLY1'`)).toEqual([
    { campaign: 'autumn' },
  ])
  const either = await run(['import', 'codes', 'five_off', 'early.csv'], here)
  expect(either.stderr).toContain('graded-recall.five_off, autumn.five_off')
  await Promise.all(['autumn', 'broken'].map((name) => rm(join(here.cwd, `campaigns/${name}.yaml`))))
})

test('redemptions come in once; those that are none go to the reject file with the reason', async () => {
  await write('people.csv', 'external_id,email\nu1,u1@example.com\n')
  await run(['import', 'contacts', 'people.csv'], here)
  const day = (days: number) => new Date(Date.now() + days * 86_400_000)
  await execute(
    database,
    sql`WITH made AS (INSERT INTO grants (contact_id, episode_id, campaign, offer, kind, step_id, touchpoint_id, state, code,
            face, expected, reserved_at, granted_at, expires_at)
          SELECT contact_id, 1, 'graded-recall', 'five_off', 'coupon', 1, 1, 'granted', 'BBB-2', 5000000, 400000,
            ${day(-3)}, ${day(-3)}, ${day(3)} FROM contacts RETURNING contact_id, grant_id)
        UPDATE offer_codes o SET contact_id = made.contact_id, grant_id = made.grant_id FROM made WHERE o.shown = 'BBB-2'`,
  )
  const at = day(-1).toISOString()
  await write(
    'used.csv',
    `code,redeemed_at,value,key\nbbb2,${at},30,o1\nNOBODY,${at},,o2\nBBB-2,${at},,o3\nBBB-2,${at},much,o4\n`,
  )
  const command = ['import', 'redemptions', 'used.csv', '--reject-file', 'refused.csv', '--json']
  const first = await run(command, here)
  expect(JSON.parse(first.stdout)).toMatchObject({ kind: 'redemptions', rows: 4, inserted: 1, rejected: 3 })
  const rejects = await readFile(join(here.cwd, 'refused.csv'), 'utf8')
  expect(rejects).toContain('nobody was given this code')
  expect(rejects).toContain('it was redeemed before, with another key')
  expect(rejects).toContain('value: ""much"" is no amount')
  const again = await run(command, here)
  expect(JSON.parse(again.stdout)).toMatchObject({ inserted: 0, rejected: 3 })
  expect(await rows(database, sql`SELECT state, redeemed_value AS value FROM grants`)).toEqual([
    { state: 'redeemed', value: 30_000_000 },
  ])
  const told = await run(['explain', 'u1', '--locale', 'en'], here)
  expect(told.stdout.replaceAll(/\s+/g, ' ')).toContain('graded-recall: offer five_off redeemed, code ****')
})

test('a redemption told by an event that is none is said, counted and told of the contact', async () => {
  const file = join(here.cwd, 'winback.yaml')
  const text = await readFile(file, 'utf8')
  await writeFile(file, `${text}\noffers: { redemption: { event: coupon_used } }\n`)
  const at = new Date(Date.now() - 3600_000).toISOString()
  await write(
    'events.csv',
    `external_id,type,occurred_at,properties\nu1,coupon_used,${at},"{""code"":""BBB-2""}"\nu1,coupon_used,${at},"{""code"":""NOBODY""}"\n`,
  )
  const imported = await run(['import', 'activity', 'events.csv'], here)
  expect(imported.code).toBe(0)
  expect(imported.stderr).toContain('redemptions refused: ')
  expect(imported.stderr).toContain('1 nobody was given this code')
  expect(imported.stderr).toContain('1 it was redeemed before')
  const again = await run(['import', 'activity', 'events.csv'], here)
  expect(again.stderr).not.toContain('redemptions refused')
  const report = await run(['report', 'offers', 'graded-recall', '--locale', 'en'], here)
  expect(report.stdout).toMatch(/five_off +it was redeemed before +1/)
  const story = await run(['explain', 'u1', '--locale', 'zh-CN'], here)
  expect(story.stdout).toContain('尝试核销券码')
})

test('an offer that its file has no more takes codes as long as somebody is under way with it', async () => {
  const spring = (offered: boolean) =>
    write(
      'campaigns/spring.yaml',
      oneTierCampaign(
        'spring',
        [`{ id: gift, channel: email, template: come-back${offered ? ', offer: tea' : ''} }`],
        {
          more: offered
            ? 'offers: { tea: { kind: coupon, amount: 3 CNY, valid: 7d, deliver: code, codes: imported } }'
            : '',
        },
      ),
    )
  await spring(true)
  await run(['apply', 'spring'], here)
  const signedUp = new Date(Date.now() - 10 * 86_400_000).toISOString()
  await write('late.csv', `external_id,email,signed_up_at\nlate,late@example.com,${signedUp}\n`)
  await run(['import', 'contacts', 'late.csv'], here)
  const taken = await run(['run', 'spring', '--no-send', '--json'], here)
  expect(JSON.parse(taken.stdout)).toMatchObject({ campaigns: [{ answers: { opened: 1 } }] })
  await spring(false)
  expect((await run(['apply', 'spring'], here)).code).toBe(0)

  await write('tea.csv', 'code\nTEA1\n')
  const under = await run(['import', 'codes', 'tea', 'tea.csv', '--json'], here)
  expect(JSON.parse(under.stdout)).toMatchObject({ inserted: 1, rejected: 0 })
  await execute(
    database,
    sql`UPDATE episodes SET ended_at = now(), end_reason = 'expired' WHERE campaign = 'spring'`,
  )
  const over = await run(['import', 'codes', 'tea', 'tea.csv'], here)
  expect(over.stderr).toContain('no campaign has an offer `tea`')
})

test('an offer that promises something else under its old name is asked about: codes go by that name', async () => {
  const file = join(here.cwd, 'campaigns/graded-recall.yaml')
  const text = await readFile(file, 'utf8')
  const warned = async (verb: string, locale = 'en') =>
    (await run([verb, 'graded-recall', '--locale', locale], here)).stderr
  const asks =
    /offers\.five_off: it promises something else than in version 1, .*: those there are, [1-9]\d* left/
  await writeFile(file, text.replace('valid: 7d', 'valid: 8d'))
  expect(await warned('plan')).not.toContain('promises something else')
  await writeFile(file, text.replace('amount: 5 CNY', 'amount: 9 CNY'))
  expect(await warned('plan')).toMatch(asks)
  expect(await warned('plan', 'zh-CN')).toContain('offers.five_off：承诺内容与版本 1 不同')
  expect(await warned('apply')).toMatch(asks)
  expect(await warned('apply')).not.toContain('promises something else')
})
