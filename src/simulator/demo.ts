import pc from 'picocolors'
import { EXIT, exitCodeOf, formatFailure } from '../cli/failure.ts'
import { listenForInterrupts } from '../cli/interrupt.ts'
import { WinbackError } from '../errors.ts'
import { readOptions, USAGE } from './options.ts'

// `npm run demo`: what was asked for, and how it ends; what it shows is in story.ts.

// The embedded server's hold does not keep a process alive; the demo does until it is told.
const underWay = setInterval(() => {}, 60_000)
const interrupt = listenForInterrupts('en', (text) => process.stderr.write(`\n${text}\n`))
try {
  const options = readOptions()
  // Read once it is to be played: the usage needs none of it.
  if (options) await (await import('./story.ts')).playDemo(options, interrupt)
  else process.stdout.write(`${USAGE}\n`)
} catch (error) {
  const colors = pc.createColors(process.stderr.isTTY === true)
  const verbose = !(error instanceof WinbackError && error.code === 'usage')
  if (!interrupt.aborted) process.stderr.write(`${await formatFailure(error, { verbose, colors })}\n`)
  process.exitCode = interrupt.aborted ? EXIT.interrupted : exitCodeOf(error)
} finally {
  clearInterval(underWay)
}
