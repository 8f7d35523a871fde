#!/usr/bin/env node
import { annotate } from './cli/annotate.ts'
import { apiKeys } from './cli/api-keys.ts'
import { apply } from './cli/apply.ts'
import { bounce } from './cli/bounce.ts'
import { calls } from './cli/calls.ts'
import { digest } from './cli/digest.ts'
import { doctor } from './cli/doctor.ts'
import { explain } from './cli/explain.ts'
import { EXIT } from './cli/failure.ts'
import { importData } from './cli/import.ts'
import { init } from './cli/init.ts'
import { listenForInterrupts } from './cli/interrupt.ts'
import { lift } from './cli/lift.ts'
import { plan } from './cli/plan.ts'
import { preview } from './cli/preview.ts'
import { consent, erase, exportPerson } from './cli/privacy.ts'
import { runProgram } from './cli/program.ts'
import { replay } from './cli/replay.ts'
import { report } from './cli/report.ts'
import { rollback } from './cli/rollback.ts'
import { run } from './cli/run.ts'
import { schema } from './cli/schema.ts'
import { signals } from './cli/signals.ts'
import { signingKeys } from './cli/signing-keys.ts'
import { start } from './cli/start.ts'
import { pause, resume, stop } from './cli/switches.ts'
import { sync } from './cli/sync.ts'
import { testSend } from './cli/test-send.ts'
import { users } from './cli/users.ts'
import { validate } from './cli/validate.ts'
import { readEnvironment } from './config/environment.ts'

const verbs = [
  init, //       a commented workspace and campaign
  validate, //   every mistake in the files, at once
  plan, //       what would happen, to whom, at what cost
  apply, //      makes the files the version that runs
  rollback, //   an earlier version again
  schema, //     JSON Schema for editors
  importData, // contacts, activity, suppressions
  sync, //       contacts and activity from a database
  bounce, //     one mail that came back
  preview, //    what one contact would get
  testSend, //   a step in your own mailbox
  replay, //     a rehearsal on the past
  run, //        one run by hand
  start, //      everything, until Ctrl-C; worker and scheduler alone for more machines
  calls, //      the calls people are to make
  pause, //      hold what would be sent
  resume, //     let it go on
  stop, //       end a campaign for good
  report, //     who came back, and who because of us
  digest, //     Monday's page by e-mail
  annotate, //   what else happened that day
  lift, //       what any experiment's file shows
  explain, //    one contact's whole story
  signals, //    who is lost, who only quiet, and how good the model is
  apiKeys, //    who may call the API, and for what
  doctor, //     what is wrong and how to mend it
  users, //      who may sign in to the web
  signingKeys, // keys of signed links
  consent, //    what a contact agreed to and chose
  exportPerson, // everything held about one contact
  erase, //      one contact, for good
]

// `winback report | head` closes the pipe early; that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.fine)
  throw error
})

// A verb is under way until it says otherwise, even where all it waits for does not hold the process by itself.
const underWay = setInterval(() => {}, 60_000)
process.exitCode = await runProgram(verbs, process.argv.slice(2), {
  environment: readEnvironment(),
  stdout: process.stdout,
  stderr: process.stderr,
  interrupt: listenForInterrupts((text) => process.stderr.write(`\n${text}\n`)),
})
clearInterval(underWay)
// Whatever still holds the process a moment after the last word was said is not worth waiting for.
setTimeout(() => process.exit(), 2000).unref()
