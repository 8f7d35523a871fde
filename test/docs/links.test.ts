import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Page, proseOf, quoted, ROOT, readPage, readPages } from './pages.ts'

const pages = readPages()

/** A heading's anchor, as code hosts make it. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')
}

function anchorsOf(page: Page): string[] {
  return [...proseOf(page).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => anchorOf(heading))
}

function brokenLinks(page: Page): string[] {
  return [...proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, target = '']) => {
    if (/^https?:/.test(target)) return []
    const [file = '', anchor] = target.split('#')
    const path = file === '' ? page.path : join(dirname(page.path), file)
    if (!existsSync(join(ROOT, path))) return [`${page.path} links to ${target}, which is not there`]
    if (anchor === undefined) return []
    return anchorsOf(readPage(path)).includes(anchor)
      ? []
      : [`${page.path}: ${path} has no heading #${anchor}`]
  })
}

/** Paths in backticks that begin with a folder of the repository. */
function missingFiles(page: Page): string[] {
  return quoted(proseOf(page))
    .filter((text) => /^(src|test|docs|migrations|bench)\/[\w./-]*$/.test(text))
    .filter((path) => !existsSync(join(ROOT, path)))
    .map((path) => `${page.path} speaks of ${path}, which is not there`)
}

describe('the pages', () => {
  it('link to what is there', () => {
    expect(pages.flatMap(brokenLinks)).toEqual([])
  })

  it('name files that are there', () => {
    expect(pages.flatMap(missingFiles)).toEqual([])
  })

  it('are found, and their broken links too', () => {
    expect(pages.length).toBeGreaterThan(6)
    const text = '[x](nowhere.md) [y](#set-up) [z](#no-such-heading) `src/nothing.ts`\n'
    const page = { path: 'README.md', text }
    expect(brokenLinks(page)).toEqual([
      'README.md links to nowhere.md, which is not there',
      'README.md: README.md has no heading #no-such-heading',
    ])
    expect(missingFiles(page)).toEqual(['README.md speaks of src/nothing.ts, which is not there'])
  })
})
