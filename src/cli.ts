#!/usr/bin/env node
import { Command, CommanderError } from 'commander'
import pc from 'picocolors'
import { apply } from './cli/apply.ts'
import { doctor } from './cli/doctor.ts'
import { explain } from './cli/explain.ts'
import { EXIT, exitCodeOf, failureDocument, formatFailure } from './cli/failure.ts'
import { importData } from './cli/import.ts'
import { init } from './cli/init.ts'
import { listenForInterrupts } from './cli/interrupt.ts'
import { toJson } from './cli/output.ts'
import { packageVersion } from './cli/package.ts'
import { plan } from './cli/plan.ts'
import { preview, testSend } from './cli/preview.ts'
import { replay } from './cli/replay.ts'
import { report } from './cli/report.ts'
import { rollback } from './cli/rollback.ts'
import { run } from './cli/run.ts'
import { schema } from './cli/schema.ts'
import { start } from './cli/start.ts'
import { pause, resume, stop } from './cli/switches.ts'
import { validate } from './cli/validate.ts'
import { GROUPS, startIn } from './cli/verb.ts'
import { readEnvironment } from './config/environment.ts'

const verbs = [
  init, //       a commented workspace and campaign
  validate, //   every mistake in the files, at once
  plan, //       what would happen, to whom, at what cost
  apply, //      makes the files the version that runs
  rollback, //   an earlier version again
  schema, //     JSON Schema for editors
  importData, // contacts, activity, suppressions
  preview, //    what one contact would get
  testSend, //   a step in your own mailbox
  replay, //     a rehearsal on the past
  run, //        one run by hand
  start, //      everything, until Ctrl-C; worker and scheduler alone for more machines
  pause, //      hold what would be sent
  resume, //     let it go on
  stop, //       end a campaign for good
  report, //     who came back, and who because of us
  explain, //    one contact's whole story
  doctor, //     what is wrong and how to mend it
]

const ABOUT = `Wins lapsed users back, and says honestly whether it did.

New here?
  $ winback init shop  a workspace of your own, with a campaign to begin from
  $ npm run demo       the whole story in a minute, in a clone of the repository`

const EXIT_CODES = `Exit codes: 0 fine · 1 the input is wrong · 2 used wrongly · 3 something does not answer
            4 refused by a safety · 70 a defect in Winback · 130 interrupted`

async function main(argv: readonly string[]): Promise<void> {
  const environment = readEnvironment()
  const interrupt = listenForInterrupts((text) => process.stderr.write(`\n${text}\n`))
  const exit = (code: number) => {
    process.exitCode = code
  }
  const begin = startIn({ environment, stdout: process.stdout, stderr: process.stderr, interrupt, exit })
  const program = new Command('winback')
    .description(ABOUT)
    .version(packageVersion(), '-V, --version', 'print the version')
    .option('--cwd <dir>', 'work as if started in this folder')
    .option('--workspace <file>', 'the workspace file (default: winback.yaml here or in a folder above)')
    .option('--json', 'one JSON document on stdout and nothing else')
    .option('--verbose', 'show causes and stacks of errors')
    .configureHelp({ showGlobalOptions: true, subcommandTerm: termOf })
    .addHelpText('after', `\n${EXIT_CODES}`)
    .addHelpCommand(
      new Command('help').argument('[verb]').description('Help for one verb').helpGroup(`${GROUPS.begin}:`),
    )
    .exitOverride()
  for (const group of Object.values(GROUPS)) program.commandsGroup(`${group}:`)
  for (const verb of verbs)
    for (const command of [verb(begin)].flat()) program.addCommand(inherit(command, program))
  if (argv.length === 2) return program.outputHelp()
  // A verb is under way until it says otherwise, even where all it waits for does not hold the process by itself.
  const underWay = setInterval(() => {}, 60_000)
  try {
    await program.parseAsync(argv)
  } catch (error) {
    process.exitCode = exitCodeOf(error)
    // Commander has already said it, help included.
    if (error instanceof CommanderError && !argv.includes('--json')) return
    if (error instanceof CommanderError && process.exitCode === EXIT.fine) return
    const verbose = argv.includes('--verbose')
    if (argv.includes('--json')) process.stdout.write(`${toJson(failureDocument(error))}\n`)
    const colors = pc.createColors(!environment.noColor && process.stderr.isTTY === true)
    if (!(error instanceof CommanderError))
      process.stderr.write(`${await formatFailure(error, { verbose, colors })}\n`)
  } finally {
    clearInterval(underWay)
    // Whatever still holds the process a moment after the last word was said is not worth waiting for.
    setTimeout(() => process.exit(), 2000).unref()
  }
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
  for (const child of command.commands) inherit(child, command)
  return command
}

// `winback report | head` closes the pipe early; that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.fine)
  throw error
})

await main(process.argv)
