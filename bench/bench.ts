import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { openArena, packageDirectory } from './arena.ts'
import { measureClaim } from './claim.ts'
import { measureFirstPage } from './first-page.ts'
import { measureImport } from './import.ts'
import { measureIngest } from './ingest.ts'
import { measureMail } from './mail.ts'
import type { Bench, Finding } from './measure.ts'
import { measureMemory } from './memory.ts'
import { measureReports } from './reports.ts'
import { measureSelection } from './selection.ts'
import { measureSignals } from './signals.ts'
import { formatTable } from './table.ts'
import { measureTouchpoints } from './touchpoints.ts'

// `npm run bench`: every measurement in one run, each beside the floor it is held against.

const MEASUREMENTS = {
  mail: { measure: measureMail, rounds: 3 },
  touchpoints: { measure: measureTouchpoints, rounds: 3 },
  claim: { measure: measureClaim, rounds: 3 },
  selection: { measure: measureSelection, rounds: 2 },
  import: { measure: measureImport, rounds: 3 },
  ingest: { measure: measureIngest, rounds: 2 },
  signals: { measure: measureSignals, rounds: 1 },
  memory: { measure: measureMemory, rounds: 1 },
  reports: { measure: measureReports, rounds: 3 },
  'first-page': { measure: measureFirstPage, rounds: 3 },
} as const satisfies Record<string, { measure(bench: Bench): Promise<Finding[]>; rounds: number }>

const HELP = `npm run bench -- [--only NAME]… [--quick] [--rounds N] [--messages N] [--out FILE] [--profile DIRECTORY]

  --only NAME     one of ${Object.keys(MEASUREMENTS).join(', ')}; may be repeated
  --quick         tiny sizes: shows that the benchmark works, says nothing of speed
  --rounds N      repetitions of each measurement
  --messages N    how large the history is that reports are read from (1,000,000)
  --out FILE      where the results go (bench/results.json, where everything was measured in full)
  --profile DIR   writes CPU profiles of the measured processes`

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', multiple: true },
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      messages: { type: 'string' },
      out: { type: 'string' },
      profile: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    console.log(HELP)
    return
  }
  const wanted = Object.entries(MEASUREMENTS).filter(([name]) => values.only?.includes(name) ?? true)
  const unknown = values.only?.find((name) => !Object.hasOwn(MEASUREMENTS, name))
  if (unknown !== undefined) throw new Error(`there is no measurement "${unknown}"\n${HELP}`)

  const started = performance.now()
  const log = (name: string) => (text: string) => {
    const seconds = (performance.now() - started) / 1000
    console.error(`${seconds.toFixed(1).padStart(7)} s  ${name}: ${text}`)
  }
  const profile = values.profile === undefined ? undefined : resolve(values.profile)
  if (profile !== undefined) mkdirSync(profile, { recursive: true })
  const findings: Finding[] = []
  const arena = await openArena(log('servers'), !values.quick)
  try {
    for (const [name, { measure, rounds }] of wanted) {
      const repeat = Number(values.rounds ?? (values.quick ? 1 : rounds))
      findings.push(
        ...(await measure({
          arena,
          quick: values.quick,
          rounds: repeat,
          messages: Number(values.messages ?? 1_000_000),
          profile,
          log: log(name),
        })),
      )
    }
  } finally {
    await arena.close()
  }
  console.log(formatTable(findings))
  const complete = wanted.length === Object.keys(MEASUREMENTS).length && !values.quick
  const out = values.out ?? (complete ? join(packageDirectory, 'bench', 'results.json') : undefined)
  if (out === undefined) return
  const results = {
    node: process.version,
    postgres: arena.postgres,
    redis: arena.redisUrl !== undefined,
    cores: cpus().length,
    quick: values.quick,
    findings: findings.map(rounded),
  }
  writeFileSync(out, `${JSON.stringify(results, null, 2)}\n`)
}

/** Three digits are all a repetition can tell apart. */
function rounded(finding: Finding): Finding {
  const short = (value: number) => Number(value.toPrecision(3))
  return {
    ...finding,
    subject: short(finding.subject),
    floor: short(finding.floor),
    ratio: short(finding.ratio),
    rounds: finding.rounds.map(({ subject, floor }) => ({ subject: short(subject), floor: short(floor) })),
  }
}

await main().catch((error: unknown) => {
  console.error(error instanceof Error ? (error.stack ?? error.message) : error)
  // Not by exitCode: a sink or a receiver that still serves would be waited for for ever. It ends as we hang up.
  process.exit(1)
})
