import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { considerContact } from '../../src/audience/consider.ts'
import { runCampaign } from '../../src/audience/run.ts'
import { emptiedDatabase } from '../support/emptied.ts'
import { condition, DAY, openPipeline, START } from '../support/pipeline.ts'

const ago = (days: number) => new Date(START.getTime() - days * DAY * 1000)

it('tells of one contact what a run would make of them, considered or not', async () => {
  const pipeline = await openPipeline({
    database: await emptiedDatabase(),
    audience: condition('vip', sql`(c.attributes->>'vip') = 'yes'`),
    definition: { seeds: ['u6'] },
  })
  const vip = { attributes: { vip: 'yes' } }
  const taken = await pipeline.addContact({ ...vip, silentSince: ago(4) })
  const outside = await pipeline.addContact({ attributes: { vip: 'no' }, silentSince: ago(4) })
  const recent = await pipeline.addContact({ ...vip, silentSince: ago(2) })
  const beyond = await pipeline.addContact({ ...vip, silentSince: ago(20) })
  const undated = await pipeline.addContact(vip)
  const seed = await pipeline.addContact({ ...vip, silentSince: ago(4) })
  const answerTo = async (contact: number) =>
    (await considerContact(pipeline.database, pipeline.campaign, contact, START)).answer

  expect(await Promise.all([taken, outside, recent, beyond, undated, seed].map(answerTo))).toEqual([
    'opened',
    'audience',
    'too_recent',
    'beyond',
    'undated',
    'seed',
  ])
  await runCampaign(pipeline.run, pipeline.campaign, START)
  expect(await answerTo(taken)).toBe('open')
  expect(await answerTo(seed)).toBe('seed')
})

it('tells of a seed what it is: in the campaign like others where that was so before, and one no more where it is none', async () => {
  const pipeline = await openPipeline({
    database: await emptiedDatabase(),
    definition: { seeds: ['u2', 'u3'] },
  })
  const [taken, before, still] = [
    await pipeline.addContact({ silentSince: ago(4) }),
    await pipeline.addContact({ silentSince: ago(20) }),
    await pipeline.addContact({ silentSince: ago(4) }),
  ]
  await runCampaign(pipeline.run, pipeline.campaign, START)
  const { definition } = pipeline.campaign
  const changed = { ...pipeline.campaign, definition: { ...definition, seeds: ['u1', 'u3'] } }
  const answerTo = async (contact: number) =>
    (await considerContact(pipeline.database, changed, contact, START)).answer
  expect(await Promise.all([taken, before, still].map(answerTo))).toEqual(['open', 'beyond', 'seed'])
})

it('holds a contact against the others of the person, as a run does', async () => {
  const pipeline = await openPipeline({ database: await emptiedDatabase() })
  const older = await pipeline.addContact({ silentSince: ago(6) })
  const newer = await pipeline.addContact({ silentSince: ago(4), person: older })
  const answerTo = async (contact: number) =>
    (await considerContact(pipeline.database, pipeline.campaign, contact, START)).answer
  expect(await Promise.all([older, newer].map(answerTo))).toEqual(['same_person', 'opened'])
  await runCampaign(pipeline.run, pipeline.campaign, START)
  expect(await Promise.all([older, newer].map(answerTo))).toEqual(['same_person', 'open'])
})
