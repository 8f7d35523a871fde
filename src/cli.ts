#!/usr/bin/env node
import { EXIT } from './cli/failure.ts'
import { listenForInterrupts } from './cli/interrupt.ts'
import { languageAsked } from './cli/locale.ts'
import { runProgram } from './cli/program.ts'
import { readVerbs } from './cli/verbs.ts'
import { readEnvironment } from './config/environment.ts'

// A log that nobody takes any more (its collector ended, its disk is full) is no reason to stop working.
process.stderr.on('error', () => {})
// `winback report | head` closes the pipe early; that is no failure. A result that cannot be kept is one.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.fine)
  process.stderr.write(`error: the result could not be written: ${error.message}\n`)
  process.exit(EXIT.unavailable)
})

// A verb is under way until it says otherwise, even where all it waits for does not hold the process by itself.
const underWay = setInterval(() => {}, 60_000)
const args = process.argv.slice(2)
process.exitCode = await runProgram(await readVerbs(args), args, {
  environment: readEnvironment(),
  stdout: process.stdout,
  stderr: process.stderr,
  interrupt: listenForInterrupts(languageAsked(args), (text) => process.stderr.write(`\n${text}\n`)),
})
clearInterval(underWay)
// Whatever still holds the process a moment after the last word was said is not worth waiting for.
setTimeout(() => process.exit(), 2000).unref()
