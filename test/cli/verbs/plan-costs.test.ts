import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openCliShop, run } from '../command.ts'

// What a plan says a campaign costs at most.

const CAMPAIGN = `
version: 1
campaign: graded-recall
title: Texts
schedule: "0 9 * * *"
timezone: UTC
goals: { recall: { event: session } }
window: 20d
holdout: 0%
tiers:
  - name: only
    inactive: 3d..40d
    steps:
      - { id: long, channel: sms, template: long, when: orders.count > 100.0 }
      - { id: either, channel: sms, template: short, variants: { a: 50%, b: { share: 50%, template: long } } }
`

test('a text is planned at the segments of what would be written, in the language that takes most', async () => {
  const { here } = await openCliShop()
  const write = (name: string, text: string) => writeFile(join(here.cwd, name), text)
  const workspace = await readFile(join(here.cwd, 'winback.yaml'), 'utf8')
  const sms =
    'sms: { provider: twilio, account_sid: AC00000000000000000000000000000001, auth_token: "${file:token}", from: "+15005550006", price: "0.1" }'
  await write('token', 'secret')
  await write(
    'winback.yaml',
    workspace.replace('channels:\n', `channels:\n  ${sms}\n`).replace('control: 5%', 'control: 0%'),
  )
  await write('campaigns/graded-recall.yaml', CAMPAIGN)
  // In English two segments of 153, in Chinese three of 67; whatever the condition says, which is looked at when it goes.
  await write(
    'templates/long.en.hbs',
    `Shop: ${'x'.repeat(150)} {{contact.first_name}} Reply STOP to opt out\n`,
  )
  await write('templates/long.zh-CN.hbs', `【Shop】${'好'.repeat(130)}{{contact.first_name}}拒收请回复R\n`)
  await write('templates/short.en.hbs', 'Shop: come back. Reply STOP to opt out\n')
  await write('templates/short.zh-CN.hbs', '【Shop】回来吧，拒收请回复R\n')
  const ago = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString()
  const people = ['u1', 'u2', 'u3', 'u4']
  await write(
    'people.csv',
    `external_id,phone,first_name,locale,signed_up_at\n${people.map((id, no) => `${id},+861380000000${no},Li,en,${ago(90)}\n`).join('')}`,
  )
  await write(
    'acts.csv',
    `external_id,type,occurred_at\n${people.map((id) => `${id},session,${ago(5)}\n`).join('')}`,
  )
  await run(['import', 'contacts', 'people.csv'], here)
  await run(['import', 'activity', 'acts.csv'], here)
  const { stdout, stderr } = await run(['plan', '--json'], here)
  expect(stderr).toBe('')
  const [plan] = (JSON.parse(stdout) as { campaigns: { spend: number; audience: { steps: unknown } }[] })
    .campaigns
  expect(plan?.audience.steps).toMatchObject([
    { step: 'long', messages: 0 },
    { step: 'either', messages: 4 },
  ])
  // Four people, each with the dearer variant of the second step: three segments at 0.1.
  expect(plan?.spend).toBe(4 * 3 * 100_000)
})

test('an offer that does not last for those who would be taken in is said beforehand, with what there is', async () => {
  const { here } = await openCliShop()
  const write = (name: string, text: string) => writeFile(join(here.cwd, name), text)
  const workspace = await readFile(join(here.cwd, 'winback.yaml'), 'utf8')
  await write('winback.yaml', workspace.replace('control: 5%', 'control: 0%'))
  const offered = (terms: string) =>
    CAMPAIGN.slice(0, CAMPAIGN.indexOf('steps:')) +
    `steps: [{ id: gift, channel: email, template: gift, offer: five, otherwise: plain }]
offers: { five: { kind: coupon, amount: 5 CNY, valid: 7d, ${terms} } }
`
  const mail = '---\nsubject: Hello\n---\n<p>Come back</p>\n'
  for (const locale of ['en', 'zh-CN']) {
    await write(`templates/gift.${locale}.hbs`, mail)
    await write(`templates/plain.${locale}.hbs`, mail)
  }
  const ago = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString()
  const rows = [1, 2, 3, 4].map((no) => ({ id: `u${no}`, mail: no === 4 ? '' : `u${no}@example.com` }))
  await write(
    'people.csv',
    `external_id,email,first_name,locale,signed_up_at\n${rows.map(({ id, mail }) => `${id},${mail},Li,en,${ago(90)}\n`).join('')}`,
  )
  await write(
    'acts.csv',
    `external_id,type,occurred_at\n${rows.map(({ id }) => `${id},session,${ago(5)}\n`).join('')}`,
  )
  await run(['import', 'contacts', 'people.csv'], here)
  await run(['import', 'activity', 'acts.csv'], here)
  const planned = async (terms: string, ...options: string[]) => {
    await write('campaigns/graded-recall.yaml', offered(terms))
    const { stderr, code } = await run(['plan', ...options], here)
    expect(code, stderr).toBe(0)
    return stderr
  }
  // Three of the four have an address.
  expect(await planned('stock: 3')).not.toContain('five')
  expect(await planned('stock: 2')).toContain(
    'graded-recall.five has 2 left, and up to 3 of those who would be taken in now may be promised one. Raise `stock`',
  )
  await write('codes.csv', 'code\nONE\nTWO\n')
  await write('campaigns/graded-recall.yaml', offered('deliver: code, codes: imported'))
  await run(['import', 'codes', 'graded-recall.five', 'codes.csv'], here)
  expect(await planned('deliver: code, codes: imported')).toContain(
    'five has 2 left, and up to 3 of those who would be taken in now may be promised one. Run `winback import codes',
  )
  expect(await planned('stock: 2', '--locale', 'zh-CN')).toContain(
    'five：仅剩 2 份，而本次纳入的联系人最多需发放 3 份。请在活动文件中调高',
  )
})
