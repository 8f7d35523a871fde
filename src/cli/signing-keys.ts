import type { Command } from 'commander'
import { listSigningKeys, retireSigningKey, rotateSigningKey } from '../database/signing-keys.ts'
import { painter, table } from '../reports/layout.ts'
import { momentWriter } from './moments.ts'
import type { Outcome } from './output.ts'
import { describe, type Start, wholeNumber } from './verb.ts'
import { type DatabaseContext, withWorkspace } from './workspace.ts'

export function signingKeys(start: Start): Command {
  const command = describe('signing-keys', {
    group: 'care',
    summary: 'Show, renew and retire the keys of signed links',
    description:
      'Preference pages, unsubscribe links and clicks are signed. After `rotate` a new key signs; links that are out ' +
      'there stay good until their key is retired.',
    examples: [
      ['winback signing-keys list', 'the keys there are; never their secrets'],
      ['winback signing-keys rotate', 'a new key for the links of today'],
      ['winback signing-keys retire 1', 'from now on links signed with key 1 are refused'],
    ],
  })
  const verb = (
    name: string,
    description: string,
    run: (context: DatabaseContext) => Promise<Outcome>,
  ): Command =>
    command
      .command(name)
      .description(description)
      .action((_options: unknown, child: Command) =>
        start(child, (invocation) => withWorkspace(invocation, run)),
      )
  verb('list', 'The keys there are', runList)
  verb('rotate', 'Make a new key, which signs from now on', async ({ database, clock }) => {
    const keyId = await rotateSigningKey(database, clock.now())
    return { data: { keyId }, text: `Key ${keyId} signs from now on. Links signed before stay good.` }
  })
  command
    .command('retire')
    .description('Refuse the links a key has signed')
    .argument('<key>', 'its number', wholeNumber('<key>'))
    .action((keyId: number, _options: unknown, child: Command) =>
      start(child, (invocation) =>
        withWorkspace(invocation, async ({ database, clock }) => {
          const outcome = await retireSigningKey(database, keyId, clock.now())
          const text =
            outcome === 'retired'
              ? `Key ${keyId} is retired: links it signed are refused.`
              : `Key ${keyId} was retired already.`
          return { data: { keyId, outcome }, text }
        }),
      ),
    )
  return command
}

const COLUMNS = ['key', 'state', 'made', 'retired'].map((title) => ({ title, align: 'left' }) as const)

async function runList({ database, loaded, output }: DatabaseContext): Promise<Outcome> {
  const keys = await listSigningKeys(database)
  const at = momentWriter(loaded.definition.timezone)
  const lines = keys.map((key) => {
    const state = key.current ? 'signs' : key.retiredAt === null ? 'verifies' : 'retired'
    return [String(key.keyId), state, at(key.createdAt), key.retiredAt ? at(key.retiredAt) : '']
  })
  return { data: { keys }, text: table(COLUMNS, lines, painter(output.colors.isColorSupported)).join('\n') }
}
