import { tmpdir } from 'node:os'
import { CommanderError } from 'commander'
import pc from 'picocolors'
import { expect, test } from 'vitest'
import { EXIT, exitCodeOf, failureDocument, formatFailure } from '../../src/cli/failure.ts'
import { ConfigError, WinbackError } from '../../src/errors.ts'
import { run } from './command.ts'

const plain = { verbose: false, colors: pc.createColors(false) }

function withCode(code: string): Error {
  return Object.assign(new Error(`it said ${code}`), { code })
}

test.each([
  [new WinbackError('config.invalid', 'x'), EXIT.input],
  [new ConfigError([]), EXIT.input],
  [new WinbackError('import.column', 'x'), EXIT.input],
  [new WinbackError('database.schema', 'x'), EXIT.input],
  [new WinbackError('usage.number', 'x'), EXIT.usage],
  [new WinbackError('database.unreachable', 'x'), EXIT.unavailable],
  [new WinbackError('embedded.start', 'x'), EXIT.unavailable],
  [new WinbackError('plan.changed', 'x'), EXIT.refused],
  [new WinbackError('feed.stale', 'x'), EXIT.refused],
  [new WinbackError('move.occupied', 'x'), EXIT.refused],
  [new WinbackError('move.failed', 'x'), EXIT.input],
  [new WinbackError('interrupted', 'x'), EXIT.interrupted],
  [new CommanderError(1, 'commander.unknownCommand', 'x'), EXIT.usage],
  [new CommanderError(0, 'commander.helpDisplayed', 'x'), EXIT.fine],
  [withCode('ECONNREFUSED'), EXIT.unavailable],
  [new Error('Failed query', { cause: withCode('57P01') }), EXIT.unavailable],
  [new AggregateError([withCode('ECONNREFUSED')]), EXIT.unavailable],
  [withCode('ENOSPC'), EXIT.unavailable],
  [new Error('Failed query', { cause: withCode('53100') }), EXIT.unavailable],
  [new Error('Failed query', { cause: withCode('25006') }), EXIT.unavailable],
  [withCode('42501'), EXIT.unavailable],
  // What node-postgres says of a server that was killed, and of a connection that was ended beside a statement.
  [new Error('Connection terminated unexpectedly'), EXIT.unavailable],
  [
    new Error('Failed query', {
      cause: new Error('Client has encountered a connection error and is not queryable'),
    }),
    EXIT.unavailable,
  ],
  [withCode('57014'), EXIT.unavailable],
  [withCode('40P01'), EXIT.defect],
  [withCode('23505'), EXIT.defect],
  [new TypeError('x is not a function'), EXIT.defect],
  ['a string', EXIT.defect],
])('%s exits with %i', (error, code) => {
  expect(exitCodeOf(error)).toBe(code)
})

test('a known error says what, where and what to do, and keeps its cause for --verbose', async () => {
  const error = new WinbackError('import.column', 'no column named "mail"', {
    location: { file: 'customers.csv', line: 1 },
    remedy: 'Map it: --map email=mail',
    cause: new Error('the header'),
  })
  expect(await formatFailure(error, plain)).toBe(
    'error: no column named "mail"\n  at customers.csv:1\n  → Map it: --map email=mail',
  )
  expect(await formatFailure(error, { ...plain, verbose: true })).toContain('because: the header')
  // In Chinese, what stands around it: the message is what a search and whoever helps would look for.
  expect(await formatFailure(error, { ...plain, verbose: true, language: 'zh-CN' })).toMatch(
    /^错误：no column named "mail"\n {2}位置：customers\.csv:1\n {2}→ Map it: --map email=mail\n {2}原因：the header/,
  )
})

test('a usage error without a remedy of its own points at the help of its verb', async () => {
  const options = { ...plain, verb: 'calls claim' }
  const remedy = 'winback calls claim --help has the options and examples.'
  const bare = new WinbackError('usage.number', 'x')
  expect(await formatFailure(bare, options)).toBe(`error: x\n  → ${remedy}`)
  expect(await formatFailure(bare, { ...options, language: 'zh-CN' })).toBe(
    '错误：x\n  → winback calls claim --help 列出选项和示例。',
  )
  expect(failureDocument(bare, 'calls claim').error.remedy).toBe(remedy)
  const own = new WinbackError('usage.number', 'x', { remedy: 'Count.' })
  expect(await formatFailure(own, options)).toBe('error: x\n  → Count.')
  expect(await formatFailure(new WinbackError('import.row', 'x'), options)).toBe('error: x')
})

test('a defect shows its causes, and its stack when asked for', async () => {
  const error = new Error('outer', { cause: new Error('middle', { cause: new Error('inner') }) })
  const short = await formatFailure(error, plain)
  expect(short).toContain('error: outer\n  because: middle\n  because: inner\n')
  expect(short).not.toContain('failure.test.ts')
  expect(await formatFailure(error, { ...plain, verbose: true })).toContain('failure.test.ts')
})

test('a full disk and a database that takes no writes are no defects of ours', async () => {
  const full = new Error('could not extend file', { cause: withCode('53100') })
  expect(await formatFailure(full, plain)).toContain('→ A disk is full, here or of the database')
  expect(await formatFailure(full, { ...plain, language: 'zh-CN' })).toContain('→ 磁盘已满')
  const standby = withCode('25006')
  expect(await formatFailure(standby, plain)).toContain('→ Nothing can be written there')
  expect(failureDocument(standby).error).toMatchObject({
    code: 'unavailable',
    remedy: expect.stringContaining('primary'),
  })
})

test('a limit of time that the database keeps to is no defect of ours, and leads to where it stands', async () => {
  for (const code of ['57014', '55P03', '25P03', '25P04']) {
    const cut = new Error('Failed query', { cause: withCode(code) })
    expect(await formatFailure(cut, plain)).toContain('→ The database ended what was under way')
    expect(await formatFailure(cut, { ...plain, language: 'zh-CN' })).toContain('→ 数据库中止了')
  }
})

test('an error that is its own cause ends', async () => {
  const error = new Error('round')
  error.cause = error
  expect(await formatFailure(error, plain)).toContain('error: round')
})

test('for machines, every fact is there', () => {
  const error = new WinbackError('plan.changed', 'the inputs changed', {
    remedy: 'Run `winback plan` again.',
    facts: { expected: 'a', found: 'b' },
  })
  expect(failureDocument(error)).toEqual({
    error: {
      code: 'plan.changed',
      message: 'the inputs changed',
      remedy: 'Run `winback plan` again.',
      facts: { expected: 'a', found: 'b' },
    },
  })
  const problem = { severity: 'error', location: { file: 'x.yaml' }, path: 'a', message: 'no' } as const
  expect(failureDocument(new ConfigError([problem])).error.problems).toEqual([problem])
  expect(failureDocument(withCode('ECONNREFUSED')).error.code).toBe('unavailable')
})

test.each([
  ['import', 'winback import needs one of its own verbs behind it', 'winback import --help has'],
  ['nope', "unknown command 'nope'", 'winback --help has the verbs.'],
  ['import contacts', "missing required argument 'file'", 'winback import contacts --help has'],
  ['plan --nope', "unknown option '--nope'", 'winback plan --help has'],
  ['', 'no verb was given that there is', 'winback --help has the verbs.'],
  ['validate --workspace none.yaml', /none.yaml does not exist/, 'Name a workspace file'],
])('for machines, `winback %s` fails with a remedy', async (line, message, remedy) => {
  const args = [...line.split(' ').filter((word) => word !== ''), '--json']
  const { code, stdout } = await run(args, { cwd: tmpdir() })
  expect(code).not.toBe(0)
  const { error } = JSON.parse(stdout)
  expect(error.code).toMatch(/^[a-z_.]+$/)
  expect(error.message).toMatch(message)
  expect(error.remedy).toContain(remedy)
})

test('a defect, an outage and a broken file have a remedy, too', () => {
  expect(failureDocument(new TypeError('x')).error.remedy).toContain('This is a defect in Winback')
  expect(failureDocument(withCode('ECONNREFUSED')).error.remedy).toContain('winback doctor')
  expect(failureDocument(new ConfigError([])).error.remedy).toContain('winback validate')
  expect(failureDocument(new WinbackError('x.y', 'x'), 'plan').error.remedy).toContain('winback plan --help')
})
