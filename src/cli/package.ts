import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The package's own folder, from src/ and from dist/ alike: templates, campaigns and migrations lie in it. */
export const packageDirectory = fileURLToPath(new URL('../../', import.meta.url))

export function packageVersion(): string {
  const parsed: unknown = JSON.parse(readFileSync(`${packageDirectory}package.json`, 'utf8'))
  return typeof parsed === 'object' && parsed !== null && 'version' in parsed ? String(parsed.version) : '0'
}
