import { type Argument, Help, type HelpConfiguration, type Option } from 'commander'
import { cellsOf, wrap } from '../../reports/layout.ts'
import { BEGIN } from './begin.ts'
import { CAMPAIGNS } from './campaigns.ts'
import { CARE } from './care.ts'
import { DATA } from './data.ts'
import { EVERYWHERE } from './everywhere.ts'
import { LOOK } from './look.ts'
import { RUN } from './run.ts'

// The help in Chinese. A verb describes itself in English; here commander is told how to say it otherwise, from tables
// that have a sentence's Chinese under the sentence itself.

/** No sentence is in two of them. */
export const TABLES: readonly Readonly<Record<string, string>>[] = [
  EVERYWHERE,
  BEGIN,
  CAMPAIGNS,
  DATA,
  RUN,
  LOOK,
  CARE,
]

const SENTENCES: ReadonlyMap<string, string> = new Map(TABLES.flatMap((table) => Object.entries(table)))

/** The Chinese of a sentence; a full stop is none of its words. */
export function chineseOf(english: string): string | undefined {
  const known = SENTENCES.get(english)
  if (known !== undefined || !english.endsWith('.')) return known
  const open = SENTENCES.get(english.slice(0, -1))
  return open === undefined ? undefined : `${open}。`
}

/**
 * How commander says its help in Chinese. What has no translation stays as it is.
 * @param translate one sentence
 */
export function chineseHelp(translate: typeof chineseOf = chineseOf): HelpConfiguration {
  const say = (text: string) =>
    text
      .split('\n')
      .map((line) => (line === '' ? '' : (translate(line) ?? line)))
      .join('\n')
  return {
    displayWidth: cellsOf,
    boxWrap: wrapLines,
    // Behind `：` commander's blank would be a second one.
    formatHelp: (command, helper) =>
      Help.prototype.formatHelp.call(helper, command, helper).replace('： ', '：'),
    styleTitle: say,
    styleUsage: (text) => text.replace('[options]', '[选项]').replace(/\[command\]$/, '[命令]'),
    commandDescription: (command) => say(command.description()),
    subcommandDescription: (command) => say(command.summary() || command.description()),
    argumentDescription: (argument) => say(argument.description) + remarks(argument),
    optionDescription: (option) => say(option.description) + remarks(option),
    // Of an example, which commander knows nothing of.
    styleDescriptionText: say,
    styleCommandDescription: asItIs,
    styleSubcommandDescription: asItIs,
    styleArgumentDescription: asItIs,
    styleOptionDescription: asItIs,
  }
}

/** What commander adds to a description: the choices there are, and the default. */
function remarks(of: Option | Argument): string {
  const said: string[] = []
  if (of.argChoices) said.push(`可选：${of.argChoices.join('、')}`)
  if (of.defaultValue !== undefined) said.push(`默认：${of.defaultValueDescription ?? of.defaultValue}`)
  return said.length === 0 ? '' : `（${said.join('；')}）`
}

function asItIs(text: string): string {
  return text
}

/** Each line wrapped by its cells; what stands in a column of its own is wrapped beneath itself. */
function wrapLines(text: string, width: number): string {
  return text
    .split('\n')
    .flatMap((line) => {
      const [first = ''] = /^ +\S.*? {2,}/.exec(line) ?? []
      const indent = cellsOf(first)
      const [begin = '', ...rest] = wrap(line.slice(first.length), width - indent)
      return [first + begin, ...rest.map((each) => ' '.repeat(indent) + each)]
    })
    .join('\n')
}
