import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** A page people read, by its path in the repository. */
export interface Page {
  readonly path: string
  readonly text: string
}

/** A fenced block: ```` ```yaml campaign file=x ```` has the language `yaml` and the info `campaign file=x`. */
export interface Block {
  readonly language: string
  readonly info: string
  readonly code: string
  /** 1-based, of the first line of the code. */
  readonly line: number
}

export function readPage(path: string): Page {
  return { path, text: readFileSync(join(ROOT, path), 'utf8') }
}

export function readPages(): Page[] {
  const docs = readdirSync(join(ROOT, 'docs')).filter((name) => name.endsWith('.md'))
  return ['README.md', 'CHANGELOG.md', ...docs.sort().map((name) => `docs/${name}`)].map(readPage)
}

export function blocksOf({ text }: Page): Block[] {
  return [...text.matchAll(/^```(\w*)[ \t]*(.*)\n([\s\S]*?)^```$/gm)].map((match) => ({
    language: match[1] ?? '',
    info: match[2] ?? '',
    code: match[3] ?? '',
    line: text.slice(0, match.index).split('\n').length + 1,
  }))
}

/** The page's prose: code blocks emptied, lines kept. */
export function proseOf({ text }: Page): string {
  return text.replace(/^```[\s\S]*?^```$/gm, (block) => block.replace(/[^\n]/g, ''))
}

/** The rows of the first table below a heading, cells trimmed, without its head. */
export function tableUnder({ path, text }: Page, heading: string): string[][] {
  const section = text.split(/^(?=#+ )/m).find((part) => part.startsWith(`${heading}\n`))
  if (!section) throw new Error(`${path} has no heading "${heading}"`)
  const table = /^\|.*(?:\n\|.*)*/m.exec(section)?.[0] ?? ''
  const cells = (row: string) =>
    row
      .slice(1, -1)
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim())
  return table.split('\n').slice(2).map(cells)
}

/** What stands between backticks. */
export function quoted(text: string): string[] {
  return [...text.matchAll(/`([^`\n]+)`/g)].map(([, inside = '']) => inside)
}
