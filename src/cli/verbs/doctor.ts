import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { registerChannels } from '../../channels/channels.ts'
import { formatProblem } from '../../config/documents/problems.ts'
import { checkHome } from '../../database/embedded-home.ts'
import { ConfigError, type Problem, WinbackError } from '../../errors.ts'
import { type Speech, speechOf } from '../../reports/words.ts'
import { styleOfWorkspace } from '../../service/reporting.ts'
import { openTemplates, readCampaigns } from '../campaigns.ts'
import { EXIT, exitCodeOf } from '../failure.ts'
import { chooseLocale, type Say, type Spoken, sayIn, spoken } from '../locale.ts'
import { count, type Outcome } from '../output.ts'
import { describe, type Invocation, type Start } from '../verb.ts'
import { embeddedDirectory, withWorkspace } from '../workspace.ts'
import { openWorkspace, type WorkspaceContext } from '../workspace-file.ts'
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
import { judgeHolidays } from './doctor/holidays.ts'
import { checkChannels, checkRedis } from './doctor/services.ts'

export function doctor(start: Start): Command {
  const command = describe('doctor', {
    group: 'care',
    summary: 'Check everything Winback leans on, and say how to mend what is wrong',
    description:
      'Files, database, migrations, clock, queue, mail server, templates and the activity feed. Sends nothing and ' +
      'changes nothing. Exits with 3 when something does not answer, 1 when something else is wrong.',
    examples: [
      ['winback doctor', 'one line a check'],
      ['winback doctor --json', 'for a monitor'],
    ],
  })
  return spoken(command).action((options: Spoken, command: Command) =>
    start(command, (invocation) => runDoctor(invocation, options)),
  )
}

async function runDoctor(
  invocation: Invocation,
  { locale }: Spoken,
): Promise<Outcome<{ ok: boolean; findings: Finding[] }>> {
  // A monitor looks for what it finds in English, whoever set the machine up.
  const asked = chooseLocale(locale)
  const speech = speechOf({ locale: invocation.output.json ? 'en' : asked })
  const findings = await examine(invocation, speech)
  const broken = findings.filter((finding) => finding.state === 'wrong')
  return {
    data: { ok: broken.length === 0, findings },
    text: `${formatFindings(findings, invocation.output, speech.language)}\n\n${verdictOf(findings, sayIn(speech))}`,
    exitCode:
      broken.length === 0
        ? EXIT.fine
        : broken.some((finding) => finding.unavailable)
          ? EXIT.unavailable
          : EXIT.input,
  }
}

/** Every check that can be made: one that fails leaves out only those that need what it looked for. */
async function examine(invocation: Invocation, speech: Speech): Promise<Finding[]> {
  const say = sayIn(speech)
  const findings: Finding[] = [checkNode(process.versions.node, say)]
  const context = await openWorkspace(invocation).catch((error: unknown) => {
    findings.push(failed('workspace', error, say))
    return undefined
  })
  if (!context) return findings
  const { file } = context.loaded
  findings.push(fine('workspace', say(`${file} is right`, `${file} 没有问题`)))
  findings.push(...judgeHolidays(context.loaded.definition, context.clock.now(), say))
  findings.push(...(await checkTemplates(context, say)))
  const embedded = embeddedDirectory(context.loaded.directory)
  if (context.loaded.definition.database.url === undefined && !existsSync(embedded)) {
    findings.push(foreseeEmbedded(embedded, say))
  } else findings.push(...(await examineDatabase(invocation, speech)))
  const { definition } = context.loaded
  // A queue on a database that does not answer is not well, and is mended with it.
  const lost = findings.some(({ check, state }) => check === 'database' && state === 'wrong')
  if (definition.redis.url !== undefined || !lost)
    findings.push(...(await checkRedis(definition.redis.url, say, definition.redis.prefix)))
  findings.push(...(await checkChannels(registerChannels(definition), say, definition.not_yet)))
  return findings
}

/** The embedded database before anything has used it: made by the first command, where it can be. */
function foreseeEmbedded(directory: string, say: Say): Finding {
  try {
    checkHome(directory)
  } catch (error) {
    return failed('database', error, say)
  }
  return notYet(
    'database',
    say('embedded, and not made yet', '内置数据库，尚未建立'),
    say('The first command that uses it makes it.', '第一条使用它的命令会建立它。'),
  )
}

async function examineDatabase(invocation: Invocation, speech: Speech): Promise<Finding[]> {
  try {
    return await withWorkspace(
      invocation,
      (context) => {
        const style = styleOfWorkspace(context.loaded.definition)
        return checkDatabase(context, speechOf({ ...style, locale: speech.locale }))
      },
      { asIs: true },
    )
  } catch (error) {
    return [failed('database', error, sayIn(speech))]
  }
}

/** Node 20.19 is the oldest release the package is tested on. */
export function checkNode(version: string, say: Say): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > 20 || (major === 20 && minor >= 19)
    ? fine('node', `Node.js ${version}`)
    : wrong(
        'node',
        say(`Node.js ${version} is too old`, `Node.js ${version} 版本过旧`),
        say('Install Node.js 20.19 or newer.', '请安装 Node.js 20.19 或更新的版本。'),
      )
}

async function checkTemplates(context: WorkspaceContext, say: Say): Promise<Finding[]> {
  const { directory, definition } = context.loaded
  // A machine that only runs what was applied has `winback.yaml` and nothing beside it.
  if (![definition.templates, definition.campaigns].some((folder) => existsSync(join(directory, folder)))) {
    return [
      notYet(
        'campaigns',
        say(
          'no campaigns and no templates here: what was applied runs, and nothing can be applied',
          '这里没有活动和模板：已应用的照常运行，但不能再应用',
        ),
        say(
          'On a machine that only runs, nothing is to be done. Else run `winback init`.',
          '若本机只负责运行，则无需处理；否则请运行 `winback init`。',
        ),
      ),
    ]
  }
  try {
    const templates = await openTemplates(context)
    const errors = templates.set.problems().filter((problem) => problem.severity === 'error')
    const read = await readCampaigns(context, templates)
    const mistakes = read.problems.filter((problem) => problem.severity === 'error')
    const wrongIn = (check: Check, found: readonly Problem[]) =>
      found[0] &&
      wrong(
        check,
        say(
          `${count(found.length, 'error')}, such as ${formatProblem(found[0])}`,
          `${found.length} 处错误，例如 ${formatProblem(found[0])}`,
        ),
        seeAll(say),
      )
    const [texts, files] = [templates.set.names().length, read.files.length]
    return [
      wrongIn('templates', errors) ?? fine('templates', say(count(texts, 'template'), `${texts} 个模板`)),
      wrongIn('campaigns', mistakes) ??
        (files === 0
          ? notYet(
              'campaigns',
              say('there is no campaign file', '没有活动文件'),
              say('Run `winback init`, or write one.', '请运行 `winback init`，或自己写一个。'),
            )
          : fine(
              'campaigns',
              say(`${count(files, 'campaign')} without a mistake`, `${files} 个活动，没有错误`),
            )),
    ]
  } catch (error) {
    return [failed('templates', error, say)]
  }
}

function seeAll(say: Say): string {
  return say('Run `winback validate` to see them all.', '运行 `winback validate` 查看全部。')
}

function failed(check: Check, error: unknown, say: Say): Finding {
  const remedy =
    error instanceof ConfigError
      ? seeAll(say)
      : error instanceof WinbackError && error.remedy
        ? error.remedy
        : say('Run again with --verbose for more.', '加上 --verbose 重新运行可看到更多信息。')
  return {
    ...wrong(check, reasonOf(error, say), remedy),
    unavailable: exitCodeOf(error) === EXIT.unavailable,
  }
}
