import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { type Block, blocksOf, ROOT, readPage } from './pages.ts'

// The page's code, taken out of it: applied to a copy of the sources, type-checked, and its own test run.

const blocks = blocksOf(readPage('docs/adding-a-channel.md'))
const copy = mkdtempSync(join(tmpdir(), 'winback-channel-'))
afterAll(() => rmSync(copy, { recursive: true, force: true }))

cpSync(join(ROOT, 'src'), join(copy, 'src'), { recursive: true })
for (const name of ['package.json', 'tsconfig.json']) cpSync(join(ROOT, name), join(copy, name))
symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'))

function fileOf({ info }: Block): string | undefined {
  return /\bfile=(\S+)/.exec(info)?.[1]
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

for (const block of blocks) {
  const file = fileOf(block)
  if (file === undefined) continue
  const path = join(copy, file)
  mkdirSync(dirname(path), { recursive: true })
  if (block.language === 'diff') writeFileSync(path, applyDiff(readFileSync(path, 'utf8'), block.code))
  else writeFileSync(path, block.code)
}

describe('the channel of docs/adding-a-channel.md', () => {
  it('has its code in the page', () => {
    expect(blocks.map(fileOf)).toEqual(
      expect.arrayContaining(['src/channels/relay/relay.ts', 'test/channels/relay.test.ts']),
    )
  })

  it('compiles, registered, under the rules of the repository', () => {
    const { compilerOptions } = JSON.parse(readFileSync(join(ROOT, 'tsconfig.json'), 'utf8')) as {
      compilerOptions: object
    }
    const config = { compilerOptions, include: ['src', 'test'] }
    writeFileSync(join(copy, 'tsconfig.json'), JSON.stringify(config))
    const tsc = spawnSync(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', copy], {
      encoding: 'utf8',
    })
    expect(tsc.stdout + tsc.stderr).toBe('')
    expect(tsc.status).toBe(0)
  }, 120_000)
})

// Its own test: the conformance suite, defined here and run like any other.
await import(pathToFileURL(join(copy, 'test/channels/relay.test.ts')).href)
