import { registerChannels } from '../../channels/channels.ts'
import type { Workspace } from '../../config/workspace.ts'
import { channelTitle } from '../../reports/channel-words.ts'
import type { Language } from '../../reports/words.ts'

/** A channel as people call it: by the title it was given, where it has one. */
export function titleOfChannel(workspace: Workspace, name: string, language: Language): string {
  const title = registerChannels(workspace).get(name)?.title
  return (title === undefined ? undefined : titleIn(title, language)) || channelTitle(name, language)
}

/** A title of one language, or of several: the page's, then any. */
export function titleIn(
  title: string | Readonly<Record<string, string>>,
  language: Language,
): string | undefined {
  return typeof title === 'string' ? title : (title[language] ?? Object.values(title)[0])
}
