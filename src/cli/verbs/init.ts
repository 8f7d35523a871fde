import { access, readdir, readFile, writeFile } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { type Command, InvalidArgumentError } from 'commander'
import { isLiteral } from '../../config/documents/references.ts'
import { campaignJsonSchema, workspaceJsonSchema } from '../../config/json-schema.ts'
import { nearest } from '../../config/nearest-name.ts'
import { isZone, zoneMeant } from '../../config/zones.ts'
import { WinbackError, whyUnwritable } from '../../errors.ts'
import { languageOf } from '../../reports/words.ts'
import { chooseLocale, type Say, type Spoken, sayIn, spoken } from '../locale.ts'
import { type Outcome, toJson } from '../output.ts'
import { packageDirectory } from '../package.ts'
import { bounded, describe, type Invocation, type Start } from '../verb.ts'
import { WORKSPACE_FILE } from '../workspace-file.ts'
import { makeFolder } from '../written-file.ts'
import { type WorkspaceFileValues, workspaceFile } from './init/workspace-file.ts'

export function init(start: Start): Command {
  const command = describe('init', {
    group: 'begin',
    summary: 'Write a commented workspace, a campaign and its templates',
    description:
      'Writes winback.yaml, campaigns/graded-recall.yaml, templates/ and the schemas editors check them by.\n' +
      'Nothing that exists is overwritten without --force.',
    examples: [
      ['winback init', 'into the current folder'],
      ['winback init shop --name "Lantern Tea"', 'into the folder shop, made if need be'],
      ['winback init --campaign renewal --campaign unhappy', 'with other campaigns than the default'],
    ],
  })
    .argument('[dir]', 'the folder to write into', '.')
    .option('--name <name>', 'the name recipients read (default: the folder’s)', nameOf)
    .option('--timezone <zone>', 'IANA zone (default: this machine’s)', zoneOf)
    .option('--campaign <name>', `${SHIPPED_CAMPAIGNS.join(', ')} (default: the first); repeatable`, oneOf)
    .option('--force', 'overwrite files that exist')
  return spoken(command).action((dir: string, options: InitOptions, command: Command) =>
    start(command, (invocation) => runInit(invocation, { dir, ...options })),
  )
}

/** The campaigns that ship, the default first: docs/campaigns.md says what each is for. */
export const SHIPPED_CAMPAIGNS: readonly string[] = ['graded-recall', 'at-risk', 'unhappy', 'renewal']

interface InitOptions extends Spoken {
  readonly name?: string
  readonly timezone?: string
  readonly campaign?: readonly string[]
  readonly force?: boolean
}

/** A name that winback.yaml gives back as it was typed. */
function nameOf(text: string): string {
  const name = bounded('--name', 'line')(text)
  if (name === '') throw new InvalidArgumentError('A name has a letter at least; recipients read it.')
  if (/\p{Cc}/u.test(name)) throw new InvalidArgumentError('A name is one line of letters and signs.')
  if (!isLiteral(name)) {
    throw new InvalidArgumentError(
      'In winback.yaml it would be read as what the environment holds under that name. Write the name itself.',
    )
  }
  return name
}

function zoneOf(text: string): string {
  if (isZone(text)) return text
  const meant = zoneMeant(text)
  throw new InvalidArgumentError(
    `It is not an IANA time zone such as Asia/Shanghai.${meant === undefined ? '' : ` Did you mean ${meant}?`}`,
  )
}

/** Gathers a repeated choice among the campaigns that ship. */
function oneOf(value: string, given: readonly string[] | undefined): string[] {
  if (!SHIPPED_CAMPAIGNS.includes(value)) {
    const near = nearest(value, SHIPPED_CAMPAIGNS)
    throw new InvalidArgumentError(
      `There are ${SHIPPED_CAMPAIGNS.join(', ')}.${near === undefined ? '' : ` Did you mean ${near}?`}`,
    )
  }
  return [...new Set([...(given ?? []), value])]
}

export interface InitResult {
  directory: string
  /** Relative to `directory`. */
  written: string[]
}

async function runInit(
  invocation: Invocation,
  options: InitOptions & { dir: string },
): Promise<Outcome<InitResult>> {
  const directory = resolve(invocation.cwd, options.dir)
  const say = sayIn({ language: languageOf(chooseLocale(options.locale)) })
  const result = await writeWorkspace(directory, {
    name: options.name ?? titleOf(basename(directory)),
    timezone: options.timezone ?? Intl.DateTimeFormat().resolvedOptions().timeZone,
    overwrite: options.force === true,
    campaigns: options.campaign ?? SHIPPED_CAMPAIGNS.slice(0, 1),
  })
  return { data: result, text: formatInit(result, invocation, say) }
}

/**
 * Writes a workspace that `winback validate` accepts. All or nothing: existing files are found before the first
 * is written.
 * @throws WinbackError `refused.exists` naming every file in the way, `init.unwritable`
 */
export async function writeWorkspace(
  directory: string,
  values: WorkspaceFileValues & { overwrite: boolean; campaigns?: readonly string[] },
): Promise<InitResult> {
  const files = new Map<string, string>([
    [WORKSPACE_FILE, workspaceFile(values)],
    ['campaigns/campaign.schema.json', `${toJson(campaignJsonSchema())}\n`],
    ['campaigns/workspace.schema.json', `${toJson(workspaceJsonSchema())}\n`],
  ])
  for (const name of values.campaigns ?? SHIPPED_CAMPAIGNS.slice(0, 1)) {
    const file = `campaigns/${name}.yaml`
    files.set(file, await shipped(file))
  }
  for (const file of await shippedTemplates()) files.set(file, await shipped(file))
  const present: string[] = []
  for (const file of files.keys()) {
    const there = await access(join(directory, file)).then(
      () => true,
      () => false,
    )
    if (there) present.push(file)
  }
  if (present.length > 0 && !values.overwrite) {
    throw new WinbackError(
      'refused.exists',
      `${directory} already holds ${present.slice(0, 3).join(', ')}${present.length > 3 ? ` and ${present.length - 3} more` : ''}`,
      { remedy: 'Name another folder, or overwrite them with --force.', facts: { present } },
    )
  }
  try {
    for (const [file, text] of files) {
      await makeFolder(dirname(join(directory, file)))
      await writeFile(join(directory, file), text)
    }
    const ignored = await ignore(directory, ['.winback/', '*.rejects.*', '*.kept.*'])
    return { directory, written: [...files.keys(), ...(ignored ? ['.gitignore'] : [])] }
  } catch (cause) {
    throw unwritable(directory, cause)
  }
}

/** A folder that may not be written to is the caller's to mend. */
function unwritable(directory: string, cause: unknown): WinbackError {
  return new WinbackError(
    'init.unwritable',
    `nothing can be written to ${directory}: ${whyUnwritable(cause)}`,
    {
      location: { file: directory },
      remedy: 'Name another folder (`winback init DIR`), or mend that and run it again with --force.',
      cause,
    },
  )
}

/** What was written and the commands to go on with. */
export function formatInit(
  result: InitResult,
  invocation: Pick<Invocation, 'cwd' | 'output'>,
  say: Say,
): string {
  const { colors } = invocation.output
  const templates = result.written.filter((file) => file.startsWith('templates/'))
  const others = result.written.filter((file) => !file.startsWith('templates/'))
  const where = relative(invocation.cwd, result.directory)
  const first = where === '' ? [] : [`cd ${where.includes(' ') ? JSON.stringify(where) : where}`]
  return [
    say(`Wrote a workspace into ${result.directory}`, `已在 ${result.directory} 中建立工作区`),
    ...others.map((file) => `  ${file}`),
    ...(templates.length > 0
      ? [say(`  templates/ (${templates.length} files)`, `  templates/（${templates.length} 个文件）`)]
      : []),
    '',
    say('Next:', '接下来：'),
    ...[
      ...first,
      say(
        'winback validate                       # nothing is wrong yet; it says so',
        'winback validate                       # 检查文件，此时应没有问题',
      ),
      say(
        'winback import contacts customers.csv  # then: winback import activity events.csv',
        'winback import contacts customers.csv  # 然后：winback import activity events.csv',
      ),
      say(
        'winback doctor                         # database, mail server, templates, feed',
        'winback doctor                         # 数据库、邮件服务器、模板、数据接入',
      ),
    ].map((line) => `  ${colors.cyan(line)}`),
  ].join('\n')
}

function titleOf(folder: string): string {
  const words = folder.split(/[-_\s${}]+/).filter((word) => word !== '')
  return words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join(' ') || 'My Shop'
}

function shipped(file: string): Promise<string> {
  return readFile(join(packageDirectory, file), 'utf8')
}

async function shippedTemplates(): Promise<string[]> {
  const entries = await readdir(join(packageDirectory, 'templates'), { recursive: true })
  return entries
    .filter((file) => file.endsWith('.hbs'))
    .map((file) => `templates/${file}`)
    .sort()
}

/** Adds to .gitignore what is not in it. @returns whether anything was added */
async function ignore(directory: string, patterns: readonly string[]): Promise<boolean> {
  const file = join(directory, '.gitignore')
  const text = await readFile(file, 'utf8').catch(() => '')
  const present = new Set(text.split(/\r?\n/).map((line) => line.trim()))
  const missing = patterns.filter((pattern) => !present.has(pattern))
  if (missing.length === 0) return false
  const separator = text === '' || text.endsWith('\n') ? '' : '\n'
  await writeFile(file, `${text}${separator}${missing.join('\n')}\n`)
  return true
}
