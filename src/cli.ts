#!/usr/bin/env node
import { EXIT } from './cli/failure.ts'
import { listenForInterrupts } from './cli/interrupt.ts'
import { languageAsked } from './cli/locale.ts'
import { runProgram } from './cli/program.ts'
import { readVerbs } from './cli/verbs.ts'
import { readEnvironment } from './config/environment.ts'

// A log that nobody takes any more (its collector ended, its disk is full) is no reason to stop working.
process.stderr.on('error', () => {})
// Nor is a result that nobody takes: `winback validate | head` closes the pipe early, and the exit code still says what was
// found. One that cannot be kept is a failure, once the work is done.
let lost = false
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE' || lost) return
  lost = true
  process.stderr.write(`error: the result could not be written: ${error.message}\n`)
})
process.on('exit', () => {
  if (lost && process.exitCode === EXIT.fine) process.exitCode = EXIT.unavailable
})

// A verb is under way until it says otherwise, even where all it waits for does not hold the process by itself.
const underWay = setInterval(() => {}, 60_000)
const args = process.argv.slice(2)
process.exitCode = await runProgram(await readVerbs(args), args, {
  environment: readEnvironment(),
  stdout: process.stdout,
  stderr: process.stderr,
  interrupt: listenForInterrupts(languageAsked(args), (text) => {
    // With --json, what runs on says so as an event, and anything else by how it ends.
    if (!args.includes('--json')) process.stderr.write(`\n${text}\n`)
  }),
})
clearInterval(underWay)
// Whatever still holds the process a moment after the last word was said is not worth waiting for.
setTimeout(() => process.exit(), 2000).unref()
