import type { Command } from 'commander'
import { listSigningKeys, retireSigningKey, rotateSigningKey } from '../../database/signing-keys.ts'
import { left, painter, table } from '../../reports/layout.ts'
import type { Language, Speech } from '../../reports/words.ts'
import { type Spoken, sayIn, speechIn, spoken } from '../locale.ts'
import type { Outcome } from '../output.ts'
import { describe, type Start, wholeNumber } from '../verb.ts'
import { type DatabaseContext, startInWorkspace } from '../workspace.ts'

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
    run: (context: DatabaseContext, speech: Speech) => Promise<Outcome>,
  ): Command =>
    spoken(command.command(name).description(description)).action((options: Spoken, child: Command) =>
      startInWorkspace(start, child, (context) => run(context, speechIn(context, options))),
    )
  verb('list', 'The keys there are', runList)
  verb('rotate', 'Make a new key, which signs from now on', async ({ database, clock }, speech) => {
    const keyId = await rotateSigningKey(database, clock.now())
    const text = sayIn(speech)(
      `Key ${keyId} signs from now on. Links signed before stay good.`,
      `今后由密钥 ${keyId} 签名，此前签名的链接仍然有效。`,
    )
    return { data: { keyId }, text }
  })
  spoken(command.command('retire').description('Refuse the links a key has signed'))
    .argument('<key>', 'its number', wholeNumber('<key>'))
    .action((keyId: number, options: Spoken, child: Command) =>
      startInWorkspace(start, child, async (context) => {
        const say = sayIn(speechIn(context, options))
        const outcome = await retireSigningKey(context.database, keyId, context.clock.now())
        const text =
          outcome === 'retired'
            ? say(
                `Key ${keyId} is retired: links it signed are refused.`,
                `密钥 ${keyId} 已停用，由它签名的链接不再有效。`,
              )
            : say(`Key ${keyId} was retired already.`, `密钥 ${keyId} 此前已停用。`)
        return { data: { keyId, outcome }, text }
      }),
    )
  return command
}

const TITLES: Readonly<Record<Language, readonly string[]>> = {
  en: ['key', 'state', 'made', 'retired'],
  'zh-CN': ['密钥', '状态', '创建时间', '停用时间'],
}

async function runList({ database, output }: DatabaseContext, speech: Speech): Promise<Outcome> {
  const say = sayIn(speech)
  const keys = await listSigningKeys(database)
  const lines = keys.map((key) => {
    const state = key.current
      ? say('signs', '签署新链接')
      : key.retiredAt === null
        ? say('verifies', '仍可验证旧链接')
        : say('retired', '已停用')
    const retired = key.retiredAt ? speech.moment(key.retiredAt) : ''
    return [String(key.keyId), state, speech.moment(key.createdAt), retired]
  })
  const columns = TITLES[speech.language].map(left)
  return { data: { keys }, text: table(columns, lines, painter(output.colors.isColorSupported)).join('\n') }
}
