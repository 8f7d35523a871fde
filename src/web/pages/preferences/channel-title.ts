import type { Workspace } from '../../../config/workspace.ts'
import { channelTitle } from '../../../reports/channel-words.ts'
import type { Language } from '../../../reports/words.ts'
import { styleOfWorkspace } from '../../../service/reporting.ts'

/** A channel as people call it: by the title it was given, where it has one. */
export function titleOfChannel(workspace: Workspace, name: string, language: Language): string {
  return channelTitle(name, language, styleOfWorkspace(workspace).channels)
}
