import { readFileSync } from 'node:fs'
import { appendFile, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { beforeAll, describe, expect, test } from 'vitest'
import { CHANGES } from '../../src/cli/changes.ts'
import { execute } from '../../src/database/connect.ts'
import { freshDatabase } from '../support/database.ts'
import { misfits, optionalFields, parseShape, type Shape } from '../support/json-shape.ts'
import { startSmtp } from '../support/smtp.ts'
import { type CliShop, openCliShop, run } from './command.ts'

// What docs/json.md says of each verb, held against what the verbs print.

const PAGE = readFileSync(new URL('../../docs/json.md', import.meta.url), 'utf8')

/** By verb, as they stand on the page. */
const { shapes, failure } = readPage()

function readPage(): { shapes: ReadonlyMap<string, Shape[]>; failure: Shape } {
  const named = new Map<string, Shape>()
  const byVerb = new Map<string, Shape[]>()
  let failed: Shape | undefined
  let verbs: string[] = []
  for (const [, heading, kind, block = ''] of PAGE.matchAll(/^#+ (.*)$|^```text (.*)\n([\s\S]*?)^```$/gm)) {
    if (heading !== undefined) verbs = [...heading.matchAll(/`([^`]+)`/g)].map(([, verb = '']) => verb)
    else if (kind === 'shapes') {
      for (const definition of block.split(/\n\n+/)) {
        const [, name = '', text = ''] = /^(\w+) = ([\s\S]*)$/.exec(definition) ?? []
        named.set(name, parseShape(text, named))
      }
    } else if (kind === 'shape failure') failed = parseShape(block, named)
    else for (const verb of verbs) byVerb.set(verb, [...(byVerb.get(verb) ?? []), parseShape(block, named)])
  }
  if (!failed) throw new Error('the page has no shape of a failure')
  return { shapes: byVerb, failure: failed }
}

/** They tell of what happens, line by line. */
const LASTING = ['start', 'worker', 'scheduler', 'web']
/** Too much for one shop: their own tests have the whole of them. */
const ELSEWHERE = ['bounce', 'import codes', 'import redemptions']

test('every verb that prints a document has its shape on the page, and no other', () => {
  const verbs = Object.keys(CHANGES).filter((verb) => !LASTING.includes(verb))
  expect([...shapes.keys()].toSorted()).toEqual(verbs.toSorted())
})

describe('what verbs print', () => {
  let here: CliShop['here']
  const printed = new Map<string, unknown[]>()
  const wrong: string[] = []
  const seen = new Map<string, Set<string>>()

  /** Runs a verb, and holds what it prints against the page. */
  async function see(verb: string, ...args: string[]): Promise<Readonly<Record<string, unknown>>> {
    const { stdout } = await run([...verb.split(' '), ...args, '--json'], here)
    const value: unknown = JSON.parse(stdout)
    printed.set(verb, [...(printed.get(verb) ?? []), value])
    const found = seen.get(verb) ?? new Set()
    seen.set(verb, found)
    const shape: Shape = { is: 'any', of: shapes.get(verb) ?? [] }
    wrong.push(...misfits(shape, value, '', found).map((words) => `${verb} ${args.join(' ')}: ${words}`))
    return { ...(value as object) }
  }

  beforeAll(async () => {
    const opened = await openCliShop()
    const { database } = opened
    const smtp = await startSmtp()
    here = { ...opened.here, env: { ...opened.here.env, SMTP_HOST: '127.0.0.1' } }
    const at = (name: string) => join(here.cwd, name)
    const ago = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString()
    const write = (name: string, lines: readonly string[]) => writeFile(at(name), `${lines.join('\n')}\n`)
    const change = async (name: string, from: RegExp, to: string) =>
      writeFile(at(name), (await readFile(at(name), 'utf8')).replace(from, to))

    await see('init', 'another', '--timezone', 'UTC')
    await change('winback.yaml', /port: 1025/, `port: ${smtp.port}`)
    await change('campaigns/graded-recall.yaml', /send_window: .*/, 'send_window: { default: 00:00-24:00 }')
    const people = Array.from({ length: 120 }, (_, i) => ({ id: `u${i + 1}`, silent: (i * 7) % 40 }))
    await write('people.csv', [
      'external_id,emial,email,phone,first_name,status,locale,signed_up_at,email',
      ...people.map(
        ({ id }, i) =>
          `${id},,${id}@shop.example,+86138001${String(i).padStart(5, '0')},Li,active,en,${ago(200)},`,
      ),
      'x,,nobody,,,,,,',
      ',,,,,,,,',
    ])
    await write('events.csv', [
      'external_id,type,occurred_at,value',
      ...people.flatMap(({ id, silent }) => [
        `${id},order,${ago(silent + 60)},120`,
        `${id},session,${ago(silent)},`,
      ]),
      `u1,Session,${ago(90)},`,
    ])
    await write('stop.csv', ['email,phone', 'u119@shop.example', 'z', 'u118@shop.example,none'])
    await write('consents.csv', ['external_id,channel,decision,decided_at', 'u1,email,given,2026-01-02'])
    await write('sends.csv', ['external_id,channel,sent_at', 'u1,email,2026-01-02'])
    await write('interviews.csv', ['external_id,reason,said_at,note', 'u1,price,2026-01-02,dear'])
    await write('lift.csv', [
      'group,back',
      ...Array.from(
        { length: 600 },
        (_, i) => `${i % 2 ? 'mail' : 'none'},${i % 4 === 1 || i % 12 === 0 ? 1 : 0}`,
      ),
      'mail,perhaps',
    ])

    for (const kind of ['campaign', 'workspace']) await see(`schema ${kind}`)
    await see('validate')
    for (const [kind, file] of [
      ['contacts', 'people'],
      ['activity', 'events'],
      ['suppressions', 'stop'],
      ['consents', 'consents'],
      ['sends', 'sends'],
      ['interviews', 'interviews'],
    ] as const) {
      await see(`import ${kind}`, `${file}.csv`)
    }
    await see('sync')
    await appendFile(
      at('winback.yaml'),
      `\nsync:\n  shop: { kind: contacts, query: "SELECT * FROM (VALUES ('u1', 1), ('', 2)) AS v(external_id, n)", cursor: n }\n`,
    )
    await see('sync', '--full')
    await write('campaigns/wrong.yaml', ['version: 1', 'campain: wrong', 'starts: soon'])
    await see('validate')
    await rm(at('campaigns/wrong.yaml'))
    await see('plan')
    await see('apply')
    await see('plan')
    await see('apply')
    await change('campaigns/graded-recall.yaml', /title: .*/, 'title: Another')
    await see('plan')
    await see('apply')
    await see('rollback', 'graded-recall', '--list')
    await see('rollback', 'graded-recall')
    await see('preview', 'graded-recall', 'coupon', '--contact', 'u30')
    await see('preview', 'graded-recall', 'letter', '--contact', 'u1', '--out', 'letter.html')
    await see('test-send', 'graded-recall', 'coupon', '--contact', 'u30', '--to', 'me@shop.example')
    await see('run', '--dry-run')
    await see('run')
    await see('replay', '--from', ago(20), '--to', ago(10), '--step', '1d')
    await see('report')
    await see('report', '--from', ago(9), '--to', ago(1))
    for (const report of ['monday', 'funnel', 'lift', 'cost', 'delivery', 'offers', 'reasons']) {
      await see('report', report)
    }
    await see(
      'lift',
      'lift.csv',
      '--arm',
      'group',
      '--control',
      'none',
      '--outcome',
      'back',
      '--split',
      'mail=50,none=50',
    )
    for (const contact of ['u30', 'u119', 'x']) await see('explain', contact)
    await see('signals')
    await see('signals', '--refresh')
    await see('signals', '--refit')
    await see('digest', '--save', 'digest')
    await see('annotate', 'a sale')
    await see('annotate')
    await see('pause', 'graded-recall', '--reason', 'wrong price')
    await see('pause', 'graded-recall')
    await see('doctor')
    await see('resume', 'graded-recall')
    await see('resume', 'graded-recall')
    await see('consent', 'u1')
    await see('consent', 'u1', '--withdraw', 'email')
    await see('allow', 'u119@shop.example')
    await see('allow', 'u119@shop.example')
    await see('allow', '--file', 'stop.csv')
    const { keyId } = await see('api-keys create', 'shop', '--scope', 'read')
    await see('api-keys list')
    await see('api-keys revoke', String(keyId))
    await see('users add', 'ada', '--role', 'admin')
    await see('users add', 'bo', '--role', 'agent')
    await see('users link', 'bo')
    await see('users role', 'bo', '--role', 'viewer')
    await see('users disable', 'bo')
    await see('users enable', 'bo')
    await see('users list')
    await see('signing-keys list')
    await see('signing-keys rotate')
    await see('signing-keys retire', '1')
    await execute(
      database,
      sql`INSERT INTO calls (contact_id, touchpoint_id, episode_id, step_id, campaign, kind, script, taker, priority, state,
            opened_at, due_at, next_attempt_at)
          SELECT c.contact_id, 1, 1, s.step_id, s.campaign, 'recall', 'Say hello', 'agent', 5, 'open', now(), now(), now()
          FROM contacts c, (SELECT * FROM steps ORDER BY step_id LIMIT 1) s WHERE c.external_id = 'u3'`,
    )
    const { calls } = await see('calls list')
    const [call] = calls as { id: string }[]
    for (const verb of ['claim', 'release', 'claim']) await see(`calls ${verb}`, call?.id ?? '')
    await see('calls outcome', call?.id ?? '', 'no_answer')
    await see('export', 'u1')
    await see('erase', 'u2', '--yes')
    await see('pause', 'graded-recall')
    await see('stop', 'graded-recall', '--yes')
    const target = await freshDatabase()
    await execute(target, sql.raw(`DROP SCHEMA ${target.schema} CASCADE`))
    await see('move', target.url)
  }, 240_000)

  test('is as the page says, of every verb', () => {
    expect(wrong).toEqual([])
    const unseen = [...shapes.keys()].filter((verb) => !printed.has(verb))
    expect(unseen.toSorted()).toEqual(ELSEWHERE)
  })

  test('has each field somewhere that the page says may be missing', () => {
    // Parts that several verbs have are seen in one of them.
    const named = (path: string) => path.split('.').slice(-2).join('.')
    const known = new Set([...seen.values()].flatMap((paths) => [...paths].map(named)))
    const left = [...shapes.values()].flat().flatMap((shape) => optionalFields(shape).map(named))
    expect([...new Set(left)].filter((path) => !known.has(path))).toEqual([])
  })

  test('is a failure of the one shape where the work could not be done', async () => {
    for (const args of [
      ['explain', 'nobody'],
      ['report', 'mondy'],
      ['validate', 'missing.yaml'],
    ]) {
      const { stdout } = await run([...args, '--json'], here)
      const value: unknown = JSON.parse(stdout)
      const [verb = ''] = args
      const all: Shape = { is: 'any', of: [failure, ...(shapes.get(verb) ?? [])] }
      expect(misfits(all, value)).toEqual([])
    }
  })
})
