import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { oneTierCampaign } from '../support/campaign.ts'
import { openCliShop, run } from './command.ts'

test('messages of people under way are said to be lost whose channel winback.yaml has no more', async () => {
  const { here } = await openCliShop()
  const file = join(here.cwd, 'campaigns/graded-recall.yaml')
  const by = (channel: string) =>
    writeFile(
      file,
      oneTierCampaign('tide', [
        `{ id: first, channel: ${channel}, template: come-back }`,
        `{ id: second, after: 2d, channel: ${channel}, template: come-back }`,
        '{ id: tap, channel: push, template: come-back }',
      ]),
    )
  const signedUp = new Date(Date.now() - 10 * 86_400_000).toISOString()
  await writeFile(join(here.cwd, 'one.csv'), `external_id,email,signed_up_at\ne,e@example.com,${signedUp}\n`)
  await by('email')
  for (const verb of [['apply'], ['import', 'contacts', 'one.csv'], ['run', '--no-send']])
    expect(await run(verb, here)).toMatchObject({ code: 0 })
  const lost = '2 messages of tide planned for people under way by email, which winback.yaml has no block for'
  const doctor = async () => (await run(['doctor', '--json'], here)).stdout
  // Nobody is reached on what is not yet set up, and that is meant.
  expect((await run(['plan'], here)).stderr).not.toContain('no block for')
  expect(await doctor()).not.toContain('no block for')

  const workspace = join(here.cwd, 'winback.yaml')
  const text = await readFile(workspace, 'utf8')
  await writeFile(workspace, text.replace(/^ {2}email:\n(?: {4}.*\n)+/m, ''))
  await by('log')
  for (const verb of ['plan', 'apply']) {
    const { code, stderr } = await run([verb, '--locale', 'en'], here)
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining(lost) })
  }
  expect(await doctor()).toContain(lost)
  expect((await run(['plan', '--locale', 'zh-CN'], here)).stderr).toContain(
    '2 条消息将不会发送：winback.yaml 中没有渠道 email 的配置',
  )
  await writeFile(workspace, text)
  expect((await run(['plan'], here)).stderr).not.toContain('no block for')
})
