import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { WinbackError, whyUnreadable } from '../../errors.ts'
import { takeReturnedMail } from '../../service/mail.ts'
import { openRuntime } from '../../service/runtime.ts'
import { EXIT } from '../failure.ts'
import { describe, repeated, type Start } from '../verb.ts'
import { startInWorkspace } from '../workspace.ts'

export function bounce(start: Start): Command {
  return describe('bounce', {
    group: 'data',
    summary: 'Read one returned mail: a bounce, a complaint, a wish to be left alone',
    description:
      'For the pipe of a mail server: what comes to the mailboxes `bounces` and `unsubscribe` of channels.email is ' +
      'read here. It is believed by the signed reference in the address it was sent to, whoever sent it.',
    examples: [
      ['winback bounce < returned.eml', 'a mail on standard input'],
      ['|"winback bounce --cwd /srv/shop --recipient $ORIGINAL_RECIPIENT"', 'in an alias of Postfix'],
    ],
  })
    .argument('[file]', 'the mail; standard input by default')
    .option(
      '--recipient <address>',
      'the address it was delivered to, where its headers do not say',
      repeated,
    )
    .action((file: string | undefined, options: { recipient?: readonly string[] }, command: Command) =>
      startInWorkspace(start, command, async (context) => {
        const raw = file === undefined ? await readInput() : await readMail(resolve(context.cwd, file))
        const { database, clock } = context
        const runtime = await openRuntime({ database, workspace: context.loaded.definition, clock })
        try {
          const taken = await takeReturnedMail(runtime, raw, options.recipient ?? [])
          return {
            data: taken,
            text: `${taken.outcome}: ${taken.detail}`,
            ...(taken.outcome === 'refused' ? { exitCode: EXIT.input } : {}),
          }
        } finally {
          await runtime.close()
        }
      }),
    )
}

async function readInput(): Promise<Uint8Array> {
  const chunks: Buffer[] = []
  for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk as Uint8Array))
  return Buffer.concat(chunks)
}

async function readMail(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file)
  } catch (cause) {
    throw new WinbackError('usage.file', `${file} cannot be read: ${whyUnreadable(cause)}`, {
      remedy: 'Name a file with one mail, or pipe it in.',
      cause,
    })
  }
}
