import { basename, resolve } from 'node:path'
import type { Command } from 'commander'
import { parseTemplates, type TemplateSet } from '../../channels/templates.ts'
import { formatProblems } from '../../config/documents/problems.ts'
import {
  findCampaigns,
  type InspectedWorkspace,
  inspectCampaign,
  inspectWorkspace,
} from '../../config/load.ts'
import { doubting, type Yardstick } from '../../config/yardstick.ts'
import { type Problem, WinbackError } from '../../errors.ts'
import { type Speech, speechOf } from '../../reports/words.ts'
import { asProblem, findOverlooked, gatherCampaigns, once, readTemplates } from '../campaigns.ts'
import { EXIT, sourcesOf } from '../failure.ts'
import { FAILURE_WORDS } from '../failure-words.ts'
import { chooseLocale, type Spoken, sayIn, spoken } from '../locale.ts'
import type { Outcome } from '../output.ts'
import { describe, type Invocation, type Start } from '../verb.ts'
import { findWorkspaceFile, shown } from '../workspace-file.ts'

export function validate(start: Start): Command {
  const command = describe('validate', {
    group: 'campaigns',
    summary: 'Find every mistake in the workspace, the campaigns and the templates',
    description:
      'Reads files only; needs neither database nor mail server. Exits with 1 when there is an error.',
    examples: [
      ['winback validate', 'everything'],
      ['winback validate campaigns/autumn.yaml', 'one campaign, and the workspace it is written for'],
      ['winback validate --json | jq .problems', 'for an editor or a build'],
    ],
  })
  return spoken(command)
    .argument('[files...]', 'campaign files (default: all of the workspace)')
    .action((files: string[], options: Spoken, command: Command) =>
      start(command, (invocation) => runValidate(invocation, files, options)),
    )
}

export interface ValidateResult {
  readonly valid: boolean
  readonly workspace: string
  readonly files: readonly string[]
  readonly templates: number
  readonly problems: readonly Problem[]
}

async function runValidate(
  invocation: Invocation,
  files: readonly string[],
  { locale }: Spoken,
): Promise<Outcome<ValidateResult>> {
  const speech = speechOf({ locale: chooseLocale(locale) })
  const result = await checkFiles(invocation, files)
  const text = formatValidate(result, await sourcesOf(result.problems), invocation, speech)
  return { data: result, text, exitCode: result.valid ? EXIT.fine : EXIT.input }
}

async function checkFiles(invocation: Invocation, files: readonly string[]): Promise<ValidateResult> {
  const workspace = shown(await findWorkspaceFile(invocation))
  const inspected = await inspectWorkspace(workspace, invocation.environment)
  const chosen = files
    .map((file) => resolve(invocation.cwd, file))
    .filter((file) => basename(file) !== basename(workspace))
  const onlyWorkspace = files.length > 0 && chosen.length === 0
  const templates = await tryTemplates(inspected)
  const yardstick = templates.set ? inspected.yardstick : doubting(inspected.yardstick, 'templates')
  const set = templates.set ?? parseTemplates({}, {})
  const found = files.length > 0 ? { files: chosen, problems: [] } : await tryCampaigns(inspected)
  const read = await gatherCampaigns(found.files, (file) => {
    invocation.interrupt.throwIfAborted()
    return inspectCampaign(file, yardstick, set)
  })
  const problems = [
    ...inspected.problems,
    ...(onlyWorkspace ? [] : templates.problems),
    ...found.problems,
    ...read.problems,
  ]
  return {
    valid: !problems.some((problem) => problem.severity === 'error'),
    workspace,
    files: read.files,
    templates: set.names().length,
    // A template used by three campaigns is reported with each of them.
    problems: once(problems),
  }
}

/** The templates, as far as winback.yaml says where they are and in which languages. */
async function tryTemplates({
  directory,
  yardstick,
}: InspectedWorkspace): Promise<{ set?: TemplateSet; problems: readonly Problem[] }> {
  const { templates = FOLDERS.templates, locales } = yardstick.workspace
  const known = yardstick.doubtful(['locales']) ? undefined : locales?.filter((each) => each !== undefined)
  try {
    const { set } = await readTemplates(directory, { templates, ...(known && { locales: known }) })
    return { set, problems: set.problems() }
  } catch (error) {
    return { problems: unlessDoubtful(error, yardstick, 'templates') }
  }
}

/** The campaign files, as far as winback.yaml says where they are. */
async function tryCampaigns({
  directory,
  yardstick,
}: InspectedWorkspace): Promise<{ files: readonly string[]; problems: readonly Problem[] }> {
  const { campaigns = FOLDERS.campaigns } = yardstick.workspace
  try {
    const place = { directory, definition: { campaigns } }
    const problems = await findOverlooked(place)
    return { files: await findCampaigns(place), problems }
  } catch (error) {
    return { files: [], problems: unlessDoubtful(error, yardstick, 'campaigns') }
  }
}

/** Where they are unless winback.yaml says otherwise: also where it cannot be read. */
const FOLDERS = { templates: 'templates', campaigns: 'campaigns' }

/** A folder that cannot be read is one mistake among the others, and none where its name was wrong already. */
function unlessDoubtful(error: unknown, { doubtful }: Yardstick, part: keyof typeof FOLDERS): Problem[] {
  if (!(error instanceof WinbackError)) throw error
  return doubtful([part]) ? [] : [asProblem(error)]
}

/** The problems with their lines, then how many there are. */
export function formatValidate(
  result: ValidateResult,
  sources: ReadonlyMap<string, string>,
  invocation: Pick<Invocation, 'output'>,
  speech: Speech,
): string {
  const { colors } = invocation.output
  const say = sayIn(speech)
  const many = (n: number, one: string, zh: string) =>
    say(`${speech.count(n)} ${n === 1 ? one : `${one}s`}`, `${speech.count(n)} ${zh}`)
  const errors = result.problems.filter((problem) => problem.severity === 'error').length
  const warnings = result.problems.length - errors
  const { workspace } = result
  const checked = [
    workspace,
    many(result.files.length, 'campaign', '个活动'),
    many(result.templates, 'template', '个模板'),
  ].join(say(', ', '，'))
  const found = [
    ...(errors > 0 ? [colors.red(many(errors, 'error', '处错误'))] : []),
    ...(warnings > 0 ? [colors.yellow(many(warnings, 'warning', '处警告'))] : []),
  ].join(say(', ', '，'))
  const verdict = result.valid
    ? `${colors.green('✓')} ${checked}${say(': ', '：')}${found === '' ? say('nothing is wrong', '没有问题') : found}`
    : say(`${found} in ${checked}`, `${checked}：${found}`)
  const problems = formatProblems(result.problems, sources, FAILURE_WORDS[speech.language])
  return result.problems.length === 0 ? verdict : `${problems}\n\n${verdict}`
}
