import { createInterface } from 'node:readline/promises'
import type { DatabaseContext } from './workspace.ts'

/** Asks at the terminal; undefined where there is none to ask at. */
export type Ask = (question: string) => Promise<string>

/** A question on stderr, so that stdout stays the result's; undefined where nobody sits at the terminal. */
export function terminal({ output, interrupt }: DatabaseContext): Ask | undefined {
  if (output.json || !process.stdin.isTTY || !process.stderr.isTTY) return undefined
  return async (question) => {
    // Not as a terminal: then Ctrl-C stays the signal that the command listens for.
    const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: false })
    try {
      return await lines.question(question, { signal: interrupt })
    } finally {
      lines.close()
    }
  }
}
