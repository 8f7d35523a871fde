import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { registerChannels } from '../channels/channels.ts'
import { formatProblem } from '../config/problems.ts'
import { ConfigError, WinbackError } from '../errors.ts'
import { openTemplates, readCampaigns } from './campaigns.ts'
import { checkDatabase } from './doctor/database.ts'
import {
  type Check,
  type Finding,
  fine,
  formatFindings,
  notYet,
  reasonOf,
  verdictOf,
  wrong,
} from './doctor/finding.ts'
import { checkChannels, checkRedis } from './doctor/services.ts'
import { EXIT, exitCodeOf } from './failure.ts'
import { count, type Outcome } from './output.ts'
import { describe, type Invocation, type Start } from './verb.ts'
import { embeddedDirectory, openWorkspace, type WorkspaceContext, withWorkspace } from './workspace.ts'

export function doctor(start: Start): Command {
  return describe('doctor', {
    group: 'care',
    summary: 'Check everything Winback leans on, and say how to mend what is wrong',
    description:
      'Files, database, migrations, clock, queue, mail server, templates and the activity feed. Sends nothing and ' +
      'changes nothing. Exits with 3 when something does not answer, 1 when something else is wrong.',
    examples: [
      ['winback doctor', 'one line a check'],
      ['winback doctor --json', 'for a monitor'],
    ],
  }).action((_options: unknown, command: Command) => start(command, runDoctor))
}

async function runDoctor(invocation: Invocation): Promise<Outcome<{ ok: boolean; findings: Finding[] }>> {
  const findings = await examine(invocation)
  const broken = findings.filter((finding) => finding.state === 'wrong')
  return {
    data: { ok: broken.length === 0, findings },
    text: `${formatFindings(findings, invocation.output.colors)}\n\n${verdictOf(findings)}`,
    exitCode:
      broken.length === 0
        ? EXIT.fine
        : broken.some((finding) => finding.unavailable)
          ? EXIT.unavailable
          : EXIT.input,
  }
}

/** Every check that can be made: one that fails leaves out only those that need what it looked for. */
async function examine(invocation: Invocation): Promise<Finding[]> {
  const findings: Finding[] = [checkNode(process.versions.node)]
  const context = await openWorkspace(invocation).catch((error: unknown) => {
    findings.push(failed('workspace', error))
    return undefined
  })
  if (!context) return findings
  findings.push(fine('workspace', `${context.loaded.file} is right`))
  findings.push(...(await checkTemplates(context)))
  const embedded = embeddedDirectory(context.loaded.directory)
  if (context.loaded.definition.database.url === undefined && !existsSync(embedded)) {
    findings.push(
      notYet('database', 'embedded, and not made yet', 'The first command that uses it makes it.'),
    )
  } else findings.push(...(await examineDatabase(invocation)))
  findings.push(...(await checkRedis(context.loaded.definition.redis.url)))
  const { definition } = context.loaded
  findings.push(...(await checkChannels(registerChannels(definition), definition.not_yet)))
  return findings
}

async function examineDatabase(invocation: Invocation): Promise<Finding[]> {
  try {
    return await withWorkspace(invocation, checkDatabase, { asIs: true })
  } catch (error) {
    return [failed('database', error)]
  }
}

/** Node 20.19 is the oldest release the package is tested on. */
export function checkNode(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > 20 || (major === 20 && minor >= 19)
    ? fine('node', `Node.js ${version}`)
    : wrong('node', `Node.js ${version} is too old`, 'Install Node.js 20.19 or newer.')
}

async function checkTemplates(context: WorkspaceContext): Promise<Finding[]> {
  const { directory, definition } = context.loaded
  // A machine that only runs what was applied has `winback.yaml` and nothing beside it.
  if (![definition.templates, definition.campaigns].some((folder) => existsSync(join(directory, folder)))) {
    return [
      notYet(
        'campaigns',
        'no campaigns and no templates here: what was applied runs, and nothing can be applied',
        'On a machine that only runs, nothing is to be done. Else run `winback init`.',
      ),
    ]
  }
  try {
    const templates = await openTemplates(context)
    const errors = templates.set.problems().filter((problem) => problem.severity === 'error')
    const read = await readCampaigns(context, templates)
    const mistakes = read.problems.filter((problem) => problem.severity === 'error')
    return [
      errors[0]
        ? wrong(
            'templates',
            `${count(errors.length, 'error')}, such as ${formatProblem(errors[0])}`,
            VALIDATE,
          )
        : fine('templates', count(templates.set.names().length, 'template')),
      mistakes[0]
        ? wrong(
            'campaigns',
            `${count(mistakes.length, 'error')}, such as ${formatProblem(mistakes[0])}`,
            VALIDATE,
          )
        : read.files.length === 0
          ? notYet('campaigns', 'there is no campaign file', 'Run `winback init`, or write one.')
          : fine('campaigns', `${count(read.files.length, 'campaign')} without a mistake`),
    ]
  } catch (error) {
    return [failed('templates', error)]
  }
}

const VALIDATE = 'Run `winback validate` to see them all.'

function failed(check: Check, error: unknown): Finding {
  const remedy =
    error instanceof ConfigError
      ? VALIDATE
      : error instanceof WinbackError && error.remedy
        ? error.remedy
        : 'Run again with --verbose for more.'
  return { ...wrong(check, reasonOf(error), remedy), unavailable: exitCodeOf(error) === EXIT.unavailable }
}
