import { type Command, Option } from 'commander'
import { WinbackError } from '../../errors.ts'
import { fitted, left, painter } from '../../reports/layout.ts'
import type { Language } from '../../reports/words.ts'
import { createApiKey, listApiKeys, revokeApiKey, SCOPES, type Scope } from '../../web/api-keys.ts'
import { type Spoken, sayIn, speechIn, spoken } from '../locale.ts'
import { operator } from '../operator.ts'
import type { Outcome } from '../output.ts'
import { describe, repeated, type Start } from '../verb.ts'
import { type DatabaseContext, startInWorkspace, withWorkspace } from '../workspace.ts'

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
  spoken(command.command('create').description('Make a key and show it, once'))
    .argument('<name>', 'who will use it')
    .addOption(
      new Option('--scope <scope>', 'what it is good for; repeatable')
        .argParser(repeated)
        .makeOptionMandatory(),
    )
    .action((name: string, options: Spoken & { scope: readonly string[] }, child: Command) =>
      start(child, (invocation) => {
        const scopes = options.scope.map(scopeOf)
        return withWorkspace(invocation, (context) => runCreate(context, name, scopes, options))
      }),
    )
  spoken(command.command('list').description('The keys there are; never the keys themselves')).action(
    (options: Spoken, child: Command) =>
      startInWorkspace(start, child, (context) => runList(context, options)),
  )
  spoken(command.command('revoke').description('End a key for good'))
    .argument('<id>', 'its id, the part between the two underscores')
    .action((id: string, options: Spoken, child: Command) =>
      startInWorkspace(start, child, (context) => runRevoke(context, id, options)),
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
  context: DatabaseContext,
  name: string,
  scopes: readonly Scope[],
  options: Spoken,
): Promise<Outcome> {
  const { database, clock } = context
  const say = sayIn(speechIn(context, options))
  const { keyId, text } = await createApiKey(database, { name, scopes, now: clock.now(), by: operator() })
  const end = `\`winback api-keys revoke ${keyId}\``
  const about = say(
    `This is the only time it is shown. It may: ${scopes.join(', ')}. End it with ${end}.`,
    `密钥只显示这一次。权限：${scopes.join('、')}。吊销：${end}`,
  )
  return { data: { keyId, key: text, name, scopes }, text: `${text}\n\n${about}` }
}

const TITLES: Readonly<Record<Language, readonly string[]>> = {
  en: ['id', 'name', 'scopes', 'made', 'last used', 'revoked'],
  'zh-CN': ['编号', '名称', '权限', '创建时间', '最近使用', '吊销时间'],
}

async function runList(context: DatabaseContext, options: Spoken): Promise<Outcome> {
  const { database, output } = context
  const speech = speechIn(context, options)
  const say = sayIn(speech)
  const keys = await listApiKeys(database)
  if (keys.length === 0) {
    const make = '`winback api-keys create NAME --scope events:write`'
    return { data: { keys }, text: say(`No key was made yet: ${make}.`, `还没有密钥，可用 ${make} 创建。`) }
  }
  const lines = keys.map((key) => [
    key.keyId,
    key.name,
    key.scopes.join(' '),
    speech.moment(key.createdAt),
    key.lastUsedAt ? speech.moment(key.lastUsedAt) : say('never', '从未'),
    key.revokedAt ? speech.moment(key.revokedAt) : '',
  ])
  const columns = TITLES[speech.language].map(left)
  return {
    data: { keys },
    text: fitted(columns, lines, painter(output.colors.isColorSupported), output.width).join('\n'),
  }
}

async function runRevoke(context: DatabaseContext, id: string, options: Spoken): Promise<Outcome> {
  const say = sayIn(speechIn(context, options))
  const keyId = /^wb_([0-9a-f]{16})_/.exec(id)?.[1] ?? id
  const key = await revokeApiKey(context.database, keyId, context.clock.now())
  if (!key) {
    throw new WinbackError('api_keys.unknown', `there is no key ${keyId}`, {
      remedy: '`winback api-keys list` shows the ids.',
    })
  }
  return {
    data: { key },
    text: say(
      `The key "${key.name}" is refused from now on, within seconds on every machine.`,
      `密钥“${key.name}”已吊销，数秒内在所有机器上生效。`,
    ),
  }
}
