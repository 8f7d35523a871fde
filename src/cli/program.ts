import { resolve } from 'node:path'
import { Command, CommanderError, type HelpConfiguration } from 'commander'
import pc from 'picocolors'
import { type Clock, systemClock } from '../clock.ts'
import type { Environment } from '../config/environment.ts'
import { WinbackError } from '../errors.ts'
import type { Language } from '../reports/words.ts'
import { EXIT, exitCodeOf, failureDocument, formatFailure, isHelp } from './failure.ts'
import { exitCodesText } from './help/exit-codes.ts'
import { languageAsked } from './locale.ts'
import { openOutput, type Stream, toJson } from './output.ts'
import { packageVersion } from './package.ts'
import { explainMisuse } from './usage-words.ts'
import { GROUPS, type Start } from './verb.ts'
import type { DescribeVerb } from './verbs.ts'

const ABOUT = `Wins lapsed users back, and says honestly whether it did.

New here?
  $ winback init shop  a workspace of your own, with a campaign to begin from
  $ npm run demo       the whole story in a minute, in a clone of the repository`

/** What a run of the program stands in: the process, or a test. */
export interface Surroundings {
  readonly environment: Environment
  readonly stdout: Stream
  readonly stderr: Stream
  /** Aborted by the first Ctrl-C. */
  readonly interrupt: AbortSignal
  readonly clock?: Clock
}

/** Options every verb takes, as commander hands them over. */
interface GlobalOptions {
  json?: boolean
  verbose?: boolean
  cwd?: string
  workspace?: string
}

/**
 * Runs one command line. Never throws: whatever goes wrong is said on stderr, and with --json on stdout as well.
 * @param verbs what there is, in the order the help lists it
 * @param args without the program's own name
 * @returns the exit code
 */
export async function runProgram(
  verbs: readonly DescribeVerb[],
  args: readonly string[],
  surroundings: Surroundings,
): Promise<number> {
  const { environment, stdout, stderr, interrupt, clock = systemClock } = surroundings
  const json = args.includes('--json')
  const language = languageAsked(args)
  let code: number = EXIT.fine
  // Known before its options are read, so that one that is wrong can say where the right ones are.
  let verb: string | undefined
  let reached: Command
  const start: Start = async (command, work) => {
    const options = command.optsWithGlobals<GlobalOptions>()
    const noColor = environment.noColor
    const output = openOutput({ json: options.json === true, noColor, stdout, stderr, language })
    const cwd = resolve(options.cwd ?? '.')
    const workspaceFile = options.workspace === undefined ? undefined : resolve(cwd, options.workspace)
    const asked = { verb: verbOf(command), args: command.processedArgs, options: command.opts() }
    const outcome = await work({ environment, output, cwd, workspaceFile, clock, interrupt, asked })
    output.print(outcome)
    code = outcome.exitCode ?? EXIT.fine
  }
  const recordVerb = (_: Command, asked: Command) => {
    verb = verbOf(asked)
    reached = asked
  }
  const help = language === 'en' ? {} : (await import('./help/chinese.ts')).chineseHelp()
  const program = describeProgram(verbs, start, surroundings, { language, help })
  reached = program
  for (const command of [program, ...program.commands]) command.hook('preSubcommand', recordVerb)
  if (args.length === 0) {
    program.outputHelp()
    return EXIT.fine
  }
  try {
    await program.parseAsync(args, { from: 'user' })
    return code
  } catch (thrown) {
    const error =
      interrupt.aborted && thrown === interrupt.reason
        ? new WinbackError('interrupted', 'interrupted', { remedy: 'Run the same command again.' })
        : thrown
    const failed = exitCodeOf(error)
    const misuse = (spoken: Language) =>
      error instanceof CommanderError && !isHelp(error)
        ? explainMisuse(error, args, reached, spoken)
        : undefined
    if (json && failed !== EXIT.fine) {
      stdout.write(`${toJson(failureDocument(error, verb, misuse('en')))}\n`)
    }
    // Help has been said already.
    if (failed !== EXIT.fine && !isHelp(error)) {
      const colors = pc.createColors(!environment.noColor && stderr.isTTY === true)
      const verbose = args.includes('--verbose')
      stderr.write(
        `${await formatFailure(error, { verbose, colors, verb, language, misuse: misuse(language) })}\n`,
      )
    }
    return failed
  }
}

/** A command's name with those above it, the program's own left out: `api-keys create`. */
export function verbOf(command: Command): string {
  return command.parent?.parent ? `${verbOf(command.parent)} ${command.name()}` : command.name()
}

/**
 * The program with all its verbs.
 * @param speech `help`: how commander says it in that language
 */
export function describeProgram(
  verbs: readonly DescribeVerb[],
  start: Start,
  { environment, stdout, stderr }: Pick<Surroundings, 'environment' | 'stdout' | 'stderr'>,
  { language, help }: { language: Language; help: HelpConfiguration },
): Command {
  const colours = (stream: Stream) => !environment.noColor && stream.isTTY === true
  const program = new Command('winback')
    .description(ABOUT)
    .version(packageVersion(), '-V, --version', 'print the version')
    .option('--cwd <dir>', 'work as if started in this folder')
    .option('--workspace <file>', 'the workspace file (default: winback.yaml here or in a folder above)')
    .option('--json', 'one JSON document on stdout and nothing else')
    .option('--verbose', 'show causes and stacks of errors')
    .configureHelp({ showGlobalOptions: true, subcommandTerm: termOf, minWidthToWrap: 20, ...help })
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
      // Said in our own words, once it is thrown.
      outputError: () => {},
      getOutHelpWidth: () => stdout.columns || 100,
      getErrHelpWidth: () => stderr.columns || 100,
      getOutHasColors: () => colours(stdout),
      getErrHasColors: () => colours(stderr),
    })
    .addHelpText('after', ({ error }) => {
      const columns = (error ? stderr : stdout).columns || 100
      return `\n${exitCodesText(language, columns)}`
    })
    .addHelpCommand(
      new Command('help').argument('[verb]').description('Help for one verb').helpGroup(`${GROUPS.begin}:`),
    )
    .showSuggestionAfterError(false)
    .exitOverride()
  for (const group of Object.values(GROUPS)) program.commandsGroup(`${group}:`)
  for (const describeVerb of verbs) {
    for (const command of [describeVerb(start)].flat()) program.addCommand(inherit(command, program))
  }
  return program
}

/** A verb with what it is about; its options are in its own help. */
function termOf(command: Command): string {
  const args = command.registeredArguments.map((argument) => {
    const name = argument.variadic ? `${argument.name()}…` : argument.name()
    return argument.required ? `<${name}>` : `[${name}]`
  })
  return [command.name(), ...args].join(' ')
}

/** Gives a command and those under it the program's settings: help, colours, and throwing instead of exiting. */
function inherit(command: Command, parent: Command): Command {
  command.copyInheritedSettings(parent)
  // The program's own stands under its heading, which is none of this verb's.
  if (command.commands.length > 0) {
    command.addHelpCommand(new Command('help').argument('[command]').description('Help for one of these'))
  }
  for (const child of command.commands) inherit(child, command)
  return command
}
