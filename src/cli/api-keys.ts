import { type Command, Option } from 'commander'
import { WinbackError } from '../errors.ts'
import { painter, table } from '../reports/layout.ts'
import { createApiKey, listApiKeys, revokeApiKey, SCOPES, type Scope } from '../web/api-keys.ts'
import { momentWriter } from './moments.ts'
import { operator } from './operator.ts'
import type { Outcome } from './output.ts'
import { describe, repeated, type Start } from './verb.ts'
import { type DatabaseContext, withWorkspace } from './workspace.ts'

export function apiKeys(start: Start): Command {
  const command = describe('api-keys', {
    group: 'care',
    summary: 'Make, show and revoke the keys of the API',
    description:
      'A key is shown once, when it is made; only its hash is kept. Scopes:\n' +
      Object.entries(SCOPES)
        .map(([scope, meaning]) => `  ${scope.padEnd(14)} ${meaning}`)
        .join('\n'),
    examples: [
      [
        'winback api-keys create shop-backend --scope events:write',
        'a write key, as Segment’s libraries want one',
      ],
      ['winback api-keys list', 'the keys there are, and when each was last used'],
      ['winback api-keys revoke 5f0c2d9e8a1b3c47', 'for good, within seconds on every machine'],
    ],
  })
  command
    .command('create')
    .description('Make a key and show it, once')
    .argument('<name>', 'who will use it')
    .addOption(
      new Option('--scope <scope>', 'what it is good for; repeatable')
        .argParser(repeated)
        .makeOptionMandatory(),
    )
    .action((name: string, { scope }: { scope: readonly string[] }, child: Command) =>
      start(child, (invocation) => {
        const scopes = scope.map(scopeOf)
        return withWorkspace(invocation, (context) => runCreate(context, name, scopes))
      }),
    )
  command
    .command('list')
    .description('The keys there are; never the keys themselves')
    .action((_options: unknown, child: Command) =>
      start(child, (invocation) => withWorkspace(invocation, runList)),
    )
  command
    .command('revoke')
    .description('End a key for good')
    .argument('<id>', 'its id, the part between the two underscores')
    .action((id: string, _options: unknown, child: Command) =>
      start(child, (invocation) => withWorkspace(invocation, (context) => runRevoke(context, id))),
    )
  return command
}

function scopeOf(text: string): Scope {
  if (Object.hasOwn(SCOPES, text)) return text as Scope
  throw new WinbackError('usage.scope', `there is no scope "${text}"`, {
    remedy: `Use one of ${Object.keys(SCOPES).join(', ')}.`,
  })
}

async function runCreate(
  { database, clock }: DatabaseContext,
  name: string,
  scopes: readonly Scope[],
): Promise<Outcome> {
  const { keyId, text } = await createApiKey(database, { name, scopes, now: clock.now(), by: operator() })
  return {
    data: { keyId, key: text, name, scopes },
    text: `${text}\n\nThis is the only time it is shown. It may: ${scopes.join(', ')}. End it with \`winback api-keys revoke ${keyId}\`.`,
  }
}

const COLUMNS = ['id', 'name', 'scopes', 'made', 'last used', 'revoked'].map(
  (title) => ({ title, align: 'left' }) as const,
)

async function runList({ database, loaded, output }: DatabaseContext): Promise<Outcome> {
  const keys = await listApiKeys(database)
  const at = momentWriter(loaded.definition.timezone)
  if (keys.length === 0) {
    return {
      data: { keys },
      text: 'No key was made yet: `winback api-keys create NAME --scope events:write`.',
    }
  }
  const lines = keys.map((key) => [
    key.keyId,
    key.name,
    key.scopes.join(' '),
    at(key.createdAt),
    key.lastUsedAt ? at(key.lastUsedAt) : 'never',
    key.revokedAt ? at(key.revokedAt) : '',
  ])
  return {
    data: { keys },
    text: table(COLUMNS, lines, painter(output.colors.isColorSupported)).join('\n'),
  }
}

async function runRevoke({ database, clock }: DatabaseContext, id: string): Promise<Outcome> {
  const keyId = /^wb_([0-9a-f]{16})_/.exec(id)?.[1] ?? id
  const key = await revokeApiKey(database, keyId, clock.now())
  if (!key) {
    throw new WinbackError('api_keys.unknown', `there is no key ${keyId}`, {
      remedy: '`winback api-keys list` shows the ids.',
    })
  }
  return {
    data: { key },
    text: `The key "${key.name}" is refused from now on, within seconds on every machine.`,
  }
}
