import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, expect, it, onTestFinished } from 'vitest'
import { bundle } from './support/bundle.ts'
import { hasRedis } from './support/redis.ts'

// The benchmark with sizes that say nothing of speed: that it builds, that each measurement's subject and floor do the
// whole of their work (each counts its rows or messages and fails where one is missing), and what it writes down.

const run = promisify(execFile)
const root = fileURLToPath(new URL('..', import.meta.url))
const directory = mkdtempSync(join(tmpdir(), 'winback-bench-test-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

interface Results {
  readonly postgres: string
  readonly quick: boolean
  readonly findings: readonly {
    readonly name: string
    readonly subject: number
    readonly floor: number
    readonly ratio: number
    readonly target: { readonly kind: string; readonly ratio: number }
  }[]
}

it('measures everything beside its floor', { timeout: 300_000 }, async () => {
  const out = join(directory, 'results.json')
  const { stdout } = await run(process.execPath, [await bundled(), '--quick', '--out', out])
  const results = JSON.parse(readFileSync(out, 'utf8')) as Results
  const redis = hasRedis() ? ['mail-redis', 'mail-tracked', 'touchpoints-redis'] : []
  const reports = ['monday', 'funnel', 'lift', 'cost', 'delivery', 'offers', 'reasons'].map(
    (name) => `report-${name}`,
  )
  const names = [
    'mail-embedded',
    'touchpoints-embedded',
    'claim-guards',
    'selection',
    'import',
    'ingest',
    'ingest-memory',
    'signals',
    'memory',
    'first-page',
    'first-page-size',
    ...reports,
    ...redis,
  ]
  expect(results.findings.map(({ name }) => name).toSorted()).toEqual(names.toSorted())
  expect(results.quick).toBe(true)
  expect(results.postgres).toMatch(/^18\.\d+ \(embedded\)$/)
  for (const { name, subject, floor, ratio } of results.findings) {
    expect(subject, name).toBeGreaterThan(0)
    expect(floor, name).toBeGreaterThan(0)
    expect(ratio / (subject / floor), name).toBeCloseTo(1, 1)
    expect(stdout).toContain(name)
  }
})

/** The benchmark and the processes it starts. As deep as where it is built to: it looks for the package two folders above. */
async function bundled(): Promise<string> {
  const bench = join(root, 'bench')
  const input = Object.fromEntries(
    ['bench.ts', ...readdirSync(join(bench, 'processes')).map((file) => `processes/${file}`)].map((file) => [
      file.replace('.ts', ''),
      join(bench, file),
    ]),
  )
  const place = join(root, 'dist-bench')
  mkdirSync(place, { recursive: true })
  const dir = mkdtempSync(join(place, 'bundle-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  await bundle(input, { dir })
  return join(dir, 'bench.js')
}

it('names the measurements there are where one is asked for that is not', async () => {
  // As `npm run bench` builds it. Its types are `npm run check`'s business, which reads bench/ with everything else.
  const settings = join(root, 'bench', 'tsconfig.json')
  await run(join(root, 'node_modules', '.bin', 'tsc'), ['-p', settings, '--noCheck'])
  const bench = join(root, 'dist-bench', 'bench', 'bench.js')
  await expect(run(process.execPath, [bench, '--only', 'speed'])).rejects.toThrow(
    /there is no measurement "speed"[\s\S]*mail, touchpoints, claim, selection, import, ingest, signals, memory/,
  )
})
