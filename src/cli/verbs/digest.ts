import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import { parseAddress } from '../../channels/email/address.ts'
import { WinbackError } from '../../errors.ts'
import { languageOf } from '../../reports/words.ts'
import { makeDigest, sendDigest } from '../../service/digest.ts'
import { appliedCampaign, nothingApplied } from '../applied-campaign.ts'
import { chooseLocale, type Spoken, sayIn, spoken } from '../locale.ts'
import type { Outcome } from '../output.ts'
import { openQuietRuntime } from '../quiet-runtime.ts'
import { describe, repeated, type Start } from '../verb.ts'
import { type DatabaseContext, startInWorkspace } from '../workspace.ts'
import { shown } from '../workspace-file.ts'
import { makeAsked, writeAsked } from '../written-file.ts'

interface DigestOptions extends Spoken {
  readonly to?: readonly string[]
  readonly campaign?: string
  readonly save?: string
}

export function digest(start: Start): Command {
  const command = describe('digest', {
    group: 'look',
    summary: 'Monday’s page by e-mail, with its charts as pictures',
    description:
      'For every week by itself, set `digest:` in winback.yaml; `start` and `scheduler` send it then.',
    examples: [
      ['winback digest --to boss@shop.example', 'now, over the workspace’s mail server'],
      [
        'winback digest --save digest --locale zh-CN',
        'into a folder, to look at it: the page and its pictures',
      ],
    ],
  })
    .option('--to <address>', 'who gets it; repeatable', repeated)
    .option('--campaign <name>', 'one campaign (default: all)')
    .option('--save <folder>', 'writes it there instead of, or beside, sending')
  return spoken(command).action((options: DigestOptions, command: Command) =>
    startInWorkspace(start, command, (context) => runDigest(context, options)),
  )
}

export interface DigestResult {
  readonly subject: string
  readonly to: readonly string[]
  readonly files: readonly string[]
}

async function runDigest(context: DatabaseContext, options: DigestOptions): Promise<Outcome<DigestResult>> {
  const { to = [], save, campaign } = options
  if (to.length === 0 && save === undefined) {
    throw new WinbackError('usage.digest', 'nobody is named to send it to', {
      remedy: 'Write --to boss@shop.example, or --save FOLDER to look at it.',
    })
  }
  const addresses = to.map((text) => {
    const address = parseAddress(text)
    if (address === undefined) throw new WinbackError('usage.address', `--to "${text}" is no e-mail address`)
    return address
  })
  const runtime = await openQuietRuntime(context)
  const locale = chooseLocale(options.locale)
  const say = sayIn({ language: languageOf(locale) })
  const mail = await makeDigest(runtime, {
    locale,
    campaigns: campaign === undefined ? undefined : [await appliedCampaign(context, campaign)],
  })
  if (!mail) {
    const data = { subject: '', to: [], files: [] }
    return {
      data,
      text: nothingApplied(say),
    }
  }
  const files: string[] = []
  if (save !== undefined) {
    const folder = resolve(context.cwd, save)
    await makeAsked(folder)
    const write = async (name: string, content: string | Buffer) => {
      await writeAsked(join(folder, name), content)
      files.push(shown(join(folder, name)))
    }
    await write('digest.html', mail.html.replaceAll(/src="cid:([^"]+)"/g, 'src="$1.png"'))
    for (const { cid, content } of mail.images) await write(`${cid}.png`, content)
  }
  const occasion = runtime.clock.now().getTime().toString(36)
  if (addresses.length > 0) await sendDigest(runtime, addresses, mail, occasion)
  return {
    data: { subject: mail.subject, to: addresses, files },
    text: [
      mail.subject,
      ...(addresses.length > 0
        ? [say(`Sent to ${addresses.join(', ')}.`, `已发送给 ${addresses.join('、')}。`)]
        : []),
      ...files.map((file) => say(`Wrote ${file}`, `已写入 ${file}`)),
    ].join('\n'),
  }
}
