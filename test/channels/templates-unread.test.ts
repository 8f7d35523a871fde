import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'

// In a process of its own: what another test has had read stays read.

const SCRIPT = `
import { createRequire } from 'node:module'
import { parseTemplates } from './dist/channels/templates.js'
const { cache } = createRequire(import.meta.url)
const converterRead = () => Object.keys(cache).some((file) => file.includes('/html-to-text/'))
const files = { 'letter.en.hbs': '---\\nsubject: Hello\\n---\\n<p>Come <b>back</b></p>\\n' }
const [letter] = parseTemplates(files, { locales: ['en'] }).texts('letter')
const seen = [letter.front.subject, converterRead(), letter.text, converterRead()]
process.stdout.write(JSON.stringify(seen))
`

test('a template is turned into text for whoever reads it, not for a check that looks at its front', () => {
  const cwd = new URL('../..', import.meta.url)
  const said = execFileSync(process.execPath, ['--input-type=module', '-e', SCRIPT], {
    cwd,
    encoding: 'utf8',
  })
  expect(JSON.parse(said)).toEqual(['Hello', false, 'Come back', true])
})
