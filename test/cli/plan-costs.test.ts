import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openCliShop, run } from './command.ts'

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
