import type { Command, CommanderError } from 'commander'
import type { Language } from '../reports/words.ts'
import { nearMisses } from './suggestion.ts'

// What commander says of a command line that is none, both languages beside each other.

/** A command line that was refused: why, and what may have been meant. */
export interface Misuse {
  readonly message: string
  /** A sentence: what is near, or what a verb of several is asked for; empty where there is nothing to say. */
  readonly meant: string
}

/**
 * @param typed the whole command line
 * @param command the verb that was asked for, or the program where it came to none
 */
export function explainMisuse(
  error: CommanderError,
  typed: readonly string[],
  command: Command,
  language: Language,
): Misuse {
  const { code, english } = misspelt(error, typed, command) ?? {
    code: error.code,
    english: error.message.replace(/^error: /, ''),
  }
  const told = CHINESE.find((each) => each.code === code && each.pattern.test(english))
  const message = language === 'en' || told === undefined ? english : english.replace(told.pattern, told.say)
  const meant = meantBy(code, english, command)
  if (meant.length === 0) return { message, meant: code === UNKNOWN ? choiceOf(command, language) : '' }
  return {
    message,
    meant: language === 'en' ? `Did you mean ${meant.join(' or ')}?` : `是否指 ${meant.join(' 或 ')}？`,
  }
}

const UNKNOWN = 'commander.unknownCommand'

/** What a verb of several is asked for: whoever has orders to import looks for a word of theirs. The verbs are too many. */
function choiceOf(command: Command, language: Language): string {
  if (command.parent === null) return ''
  const names = command.commands.map((each) => each.name())
  return language === 'en' ? `There are ${names.join(', ')}.` : `可选：${names.join('、')}。`
}

/** The patterns are commander's own sentences, what was typed in the groups. */
const CHINESE: readonly { readonly code: string; readonly pattern: RegExp; readonly say: string }[] = [
  { code: 'commander.unknownCommand', pattern: /^unknown command '(.*)'$/s, say: '没有命令 $1' },
  { code: 'commander.unknownOption', pattern: /^unknown option '(.*)'$/s, say: '没有选项 $1' },
  {
    code: 'commander.missingArgument',
    pattern: /^missing required argument '(.*)'$/s,
    say: '缺少参数 $1',
  },
  {
    code: 'commander.optionMissingArgument',
    pattern: /^option '(.*)' argument missing$/s,
    say: '选项 $1 后面缺少值',
  },
  {
    code: 'commander.missingMandatoryOptionValue',
    pattern: /^required option '(.*)' not specified$/s,
    say: '缺少必需的选项 $1',
  },
  {
    code: 'commander.conflictingOption',
    pattern: /^option '(.*)' cannot be used with option '(.*)'$/s,
    say: '选项 $1 不能与 $2 同时使用',
  },
  {
    code: 'commander.excessArguments',
    pattern: /^too many arguments(?: for '(.*)')?\. Expected (\d+) arguments? but got (\d+)\.$/s,
    say: '参数过多：应有 $2 个，实有 $3 个',
  },
  {
    code: 'commander.invalidArgument',
    pattern: /^option '(.*)' argument '(.*)' is invalid\. Allowed choices are (.*)\.$/s,
    say: '选项 $1 的值 $2 无效，可选：$3',
  },
  {
    code: 'commander.invalidArgument',
    pattern: /^command-argument value '(.*)' is invalid for argument '(.*)'\. Allowed choices are (.*)\.$/s,
    say: '参数 $2 的值 $1 无效，可选：$3',
  },
]

/** An option that has to be there and is misspelt: commander misses it before it looks at those it does not know. */
function misspelt({ code, message }: CommanderError, typed: readonly string[], command: Command) {
  const [, missing] = /^error: required option '(--[\w-]+)/.exec(message) ?? []
  if (code !== 'commander.missingMandatoryOptionValue' || missing === undefined) return undefined
  const known = optionsOf(command)
  const stranger = typed
    .map((word) => word.replace(/=.*$/s, ''))
    .find(
      (word) => word.startsWith('-') && !known.includes(word) && nearMisses(word, known).includes(missing),
    )
  return stranger === undefined
    ? undefined
    : { code: 'commander.unknownOption', english: `unknown option '${stranger}'` }
}

function meantBy(code: string, message: string, command: Command): string[] {
  if (code === UNKNOWN) {
    const [, word = ''] = /^unknown command '(.*)'$/s.exec(message) ?? []
    return nearMisses(word, [...command.commands.map((each) => each.name()), 'help'])
  }
  if (code === 'commander.unknownOption') {
    const [, word = ''] = /^unknown option '(.*)'$/s.exec(message) ?? []
    return nearMisses(word, optionsOf(command))
  }
  const choices = /(?:argument|value) '(.*)' is invalid.* Allowed choices are (.*)\.$/s.exec(message)
  return choices === null ? [] : nearMisses(choices[1] ?? '', choices[2]?.split(', ') ?? [])
}

/** Those of a command and of all above it, as they are typed. */
function optionsOf(command: Command | null): string[] {
  if (command === null) return []
  const own = command.createHelp().visibleOptions(command)
  return [...own.flatMap(({ long }) => long ?? []), ...optionsOf(command.parent)]
}
