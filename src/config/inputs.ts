import { createHash } from 'node:crypto'

/** Template files by their path within the templates folder. */
export type TemplateFiles = Readonly<Record<string, string>>

/**
 * One hash over everything a plan is made of: the campaign, the workspace and the templates, as they are written. Neither
 * the order of files nor the line breaks of an operating system change it; a comment does. sha-256, 64 hex digits.
 */
export function inputsHash(inputs: {
  campaign: string
  workspace: string
  templates: TemplateFiles
}): string {
  return digest([canonical(inputs.campaign), canonical(inputs.workspace), templatesHash(inputs.templates)])
}

/** Hash of a set of template files: the key it is stored under. */
export function templatesHash(files: TemplateFiles): string {
  const paths = Object.keys(files).toSorted()
  return digest(paths.flatMap((path) => [path.replaceAll('\\', '/'), canonical(files[path] ?? '')]))
}

/**
 * Hash of a plan: of its inputs, and of the version that ran as it was made, for what a plan shows is what would change of it.
 * @param over that version; null where none was ever applied
 */
export function planHash(inputs: string, over: number | null): string {
  return digest([inputs, String(over ?? 0)])
}

/** The first twelve digits: enough for people to tell plans apart, and for `apply --plan`. */
export function shortHash(hash: string): string {
  return hash.slice(0, 12)
}

function canonical(text: string): string {
  return text.replace(/^\uFEFF/, '').replaceAll('\r\n', '\n')
}

/** Each part with its length before it, so that text moved from one part to the next is another hash. */
function digest(parts: readonly string[]): string {
  const hash = createHash('sha256')
  for (const part of parts) {
    const bytes = Buffer.from(part)
    hash.update(`${bytes.length}:`).update(bytes)
  }
  return hash.digest('hex')
}
