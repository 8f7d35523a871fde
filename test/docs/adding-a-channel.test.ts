import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { type Block, blocksOf, ROOT, readPage } from './pages.ts'

// The page's code, taken out of it. The channel of one's own lies in a folder beside an installed Winback, made of what
// `npm pack` would publish and of nothing else; the one in this repository is applied to a copy of the sources. Both are
// type-checked, and run their own tests.

const base = mkdtempSync(join(tmpdir(), 'winback-channel-'))
afterAll(() => rmSync(base, { recursive: true, force: true }))
// What Winback needs itself is found above both.
symlinkSync(join(ROOT, 'node_modules'), join(base, 'node_modules'))

const shop = join(base, 'shop')
const copy = join(base, 'winback')
cpSync(join(ROOT, 'src'), join(copy, 'src'), { recursive: true })
for (const name of ['package.json', 'tsconfig.json']) cpSync(join(ROOT, name), join(copy, name))

/** Where the code of a block goes, and which file of the page it is made from. */
function placeOf({ info }: Block): { file: string; from: string | undefined } | undefined {
  const file = /\bfile=(\S+)/.exec(info)?.[1]
  if (file === undefined) return undefined
  const inRepository = /^(src|test)\//.test(file)
  const from = /\bfrom=(\S+)/.exec(info)?.[1]
  return {
    file: join(inRepository ? copy : shop, file),
    from: from === undefined ? undefined : join(shop, from),
  }
}

/** Applies a diff without line numbers: its old lines must be there once, in a row; added lines may come first. */
function applyDiff(text: string, diff: string): string {
  const lines = diff.trimEnd().split('\n')
  const side = (sign: '-' | '+') =>
    lines.filter((line) => line.startsWith(sign) || !/^[-+]/.test(line)).map((line) => line.slice(1))
  const old = side('-').join('\n')
  expect(text.split(old), `the lines are there once:\n${old}`).toHaveLength(2)
  return text.replace(old, () => side('+').join('\n'))
}

function node(args: readonly string[], cwd: string, env: Readonly<Record<string, string>> = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd,
    encoding: 'utf8',
    env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', ...env },
  })
  return { status, said: stdout + stderr }
}

/** The workspace that `winback init` writes. */
function startWorkspace(): void {
  const init = ['init', shop, '--name', 'Lantern Tea', '--timezone', 'Asia/Shanghai']
  expect(node([join(ROOT, 'dist/cli.js'), ...init], base)).toMatchObject({ status: 0 })
}

startWorkspace()
const written: string[] = []
for (const block of blocksOf(readPage('docs/adding-a-channel.md'))) {
  const place = placeOf(block)
  if (!place) continue
  const { file, from = file } = place
  mkdirSync(dirname(file), { recursive: true })
  const code = block.language === 'diff' ? applyDiff(readFileSync(from, 'utf8'), block.code) : block.code
  writeFileSync(file, code)
  written.push(file)
}

const TSC = join(ROOT, 'node_modules/typescript/bin/tsc')
// Side by side, each of its threads works out anew what several need; the other tests keep the processors busy.
const ALONE = '--singleThreaded'

describe('a channel of one’s own', () => {
  /** Puts into the shop what the package would hold. */
  function install(): string[] {
    const pack = ['pack', '--dry-run', '--json', '--ignore-scripts']
    const { stdout } = spawnSync('npm', pack, { cwd: ROOT, encoding: 'utf8' })
    const [packed] = JSON.parse(stdout) as { files: { path: string }[] }[]
    const files = packed?.files.map(({ path }) => path) ?? []
    for (const path of files) cpSync(join(ROOT, path), join(shop, 'node_modules/winback', path))
    return files
  }

  it('finds in the package what it is made with, types included', () => {
    const { exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      exports: Record<string, Record<string, string>>
    }
    const named = ['./channel', './testing'].flatMap((entry) => Object.values(exports[entry] ?? {}))
    expect(named).toHaveLength(4)
    expect(install()).toEqual(expect.arrayContaining(named.map((path) => path.slice(2))))
    writeFileSync(join(shop, 'package.json'), '{ "name": "shop", "type": "module", "private": true }')
  }, 60_000)

  it('is of about sixty lines', () => {
    const lines = readFileSync(join(shop, 'channels/relay.ts'), 'utf8').split('\n')
    expect(lines.filter((line) => line.trim() !== '').length).toBeLessThanOrEqual(60)
  })

  it('compiles as the page says, also where the compiler is at its strictest', () => {
    const strictest = ['--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess', '--noUnusedLocals']
    const compiled = node([TSC, '-p', shop, '--skipLibCheck', 'false', ALONE, ...strictest], shop)
    expect(compiled).toEqual({ status: 0, said: '' })
  }, 120_000)

  it('passes the conformance suite, with the runner of Node.js', () => {
    const { status, said } = node(['--test', '--test-reporter=tap', 'channels/relay.test.js'], shop)
    expect({ status, failed: said.match(/^ *not ok .*/gm) }).toEqual({ status: 0, failed: null })
    expect(said).toMatch(/^# pass 14$/m)
  }, 60_000)

  it('is the channel of the workspace beside it', () => {
    const cli = join(shop, 'node_modules/winback/dist/cli.js')
    const said = node([cli, 'validate'], shop, { RELAY_TOKEN: 'a secret of the gateway' })
    expect(said).toMatchObject({ status: 0, said: expect.stringContaining('nothing is wrong') })
  }, 60_000)
})

describe('the same channel in this repository', () => {
  it('has its code in the page', () => {
    const expected = [
      'src/channels/relay/relay.ts',
      'src/channels/channels.ts',
      'test/channels/relay.test.ts',
    ]
    expect(written).toEqual(expect.arrayContaining(expected.map((file) => join(copy, file))))
  })

  it('compiles, registered, under the rules of the repository', () => {
    const { compilerOptions } = JSON.parse(readFileSync(join(ROOT, 'tsconfig.json'), 'utf8')) as {
      compilerOptions: object
    }
    const config = { compilerOptions, include: ['src', 'test'] }
    writeFileSync(join(copy, 'tsconfig.json'), JSON.stringify(config))
    expect(node([TSC, '-p', copy, ALONE], copy)).toEqual({ status: 0, said: '' })
  }, 120_000)
})

// Its own test: the conformance suite, defined here and run like any other.
await import(pathToFileURL(join(copy, 'test/channels/relay.test.ts')).href)
