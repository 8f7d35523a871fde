import { Command } from 'commander'
import { expect, test } from 'vitest'
import { openOutput, toJson } from '../../src/cli/output.ts'
import { addExamples, pairs, repeated, wholeNumber } from '../../src/cli/verb.ts'

function streams(isTTY: boolean) {
  const out: string[] = []
  const err: string[] = []
  return {
    out,
    err,
    stdout: { write: (text: string) => out.push(text), isTTY, columns: 300 },
    stderr: { write: (text: string) => err.push(text), isTTY },
  }
}

test('with --json, stdout is one document and remarks are not made', () => {
  const { out, err, ...both } = streams(true)
  const output = openOutput({ json: true, noColor: false, ...both })
  output.note('on the way')
  output.warn('careful')
  output.print({ data: { a: new Map([['b', 1n]]) }, text: 'words' })
  expect(JSON.parse(out.join(''))).toEqual({ a: { b: '1' } })
  expect(err.join('')).toContain('careful')
  expect(err.join('')).not.toContain('on the way')
})

test('for people, text on stdout, remarks on stderr', () => {
  const { out, err, ...both } = streams(false)
  const output = openOutput({ json: false, noColor: false, ...both })
  output.note('on the way')
  output.print({ data: {}, text: 'words' })
  expect(out).toEqual(['words\n'])
  expect(err).toEqual(['on the way\n'])
  openOutput({ json: false, noColor: false, ...both, language: 'zh-CN' }).warn('小心')
  expect(err.at(-1)).toBe('警告：小心\n')
})

test('text is laid out for what a terminal has, from 40 columns to 160, and for 100 where there is none', () => {
  const { stdout, stderr } = streams(true)
  const widths = [undefined, 0, 12, 40, 47, 300].map((columns) => {
    const here = { write: stdout.write, isTTY: true, ...(columns === undefined ? {} : { columns }) }
    return openOutput({ json: false, noColor: false, stdout: here, stderr }).width
  })
  expect(widths).toEqual([100, 100, 40, 40, 47, 160])
})

test('what others wrote cannot steer the terminal, nor look like another line of the log', () => {
  const { out, err, ...both } = streams(true)
  const output = openOutput({ json: false, noColor: false, ...both })
  const reply = 'Stop\u001b[2J\u001b]0;owned\u0007\r\u009b1A\u007f'
  output.print({ data: {}, text: `${output.colors.red('said')}:\t${reply}\n` })
  expect(out).toEqual([
    `${output.colors.red('said')}:\tStop\u{FFFD}[2J\u{FFFD}]0;owned\u{FFFD}\u{FFFD}\u{FFFD}1A\u{FFFD}\n\n`,
  ])
  output.note(reply)
  output.warn(reply)
  const words = 'said\u001b[2J\n2026-03-02T08:00:00.000Z all is well'
  output.event({ at: new Date(0), event: 'error', facts: {}, words })
  for (const steering of ['\u001b[2J', '\u001b]', '\u0007', '\r', '\u009b', '\u007f']) {
    expect(err.join('')).not.toContain(steering)
  }
  expect(err.join('')).not.toMatch(/^2026/m)
})

test('a file goes to disk as it is, and steers no terminal either', () => {
  const outcome = { data: {}, text: 'name,said\r\nAda,\u001b[2J', file: true }
  const print = (isTTY: boolean) => {
    const { out, ...both } = streams(isTTY)
    openOutput({ json: false, noColor: false, ...both }).print(outcome)
    return out.join('')
  }
  expect(print(false)).toBe(`${outcome.text}\n`)
  expect(print(true)).toBe('name,said\r\nAda,\u{FFFD}[2J\n')
})

test('colours only on a terminal that has not asked for none', () => {
  const colours = (isTTY: boolean, noColor: boolean, json = false) =>
    openOutput({ json, noColor, ...streams(isTTY) }).colors.red('x') !== 'x'
  expect(colours(true, false)).toBe(true)
  expect(colours(true, true)).toBe(false)
  expect(colours(false, false)).toBe(false)
  expect(colours(true, false, true)).toBe(false)
})

test('the width stays readable', () => {
  expect(openOutput({ json: false, noColor: true, ...streams(true) }).width).toBe(160)
})

test('nothing to say is null', () => {
  expect(toJson(undefined)).toBe('null')
})

test('options are read, or refused by name', () => {
  expect(pairs('--map', ['email=E-mail', 'external_id=a=b'])).toEqual({ email: 'E-mail', external_id: 'a=b' })
  expect(() => pairs('--map', ['email'])).toThrow('--map wants name=value, found "email"')
  expect(wholeNumber('--to')('12')).toBe(12)
  expect(() => wholeNumber('--to')('1.5')).toThrow('--to wants a whole number')
  expect(repeated('b', repeated('a', undefined))).toEqual(['a', 'b'])
})

test('examples show the command as it is typed, and what it does within the width there is', () => {
  let said = ''
  const writeOut = (text: string) => {
    said += text
  }
  const typed = 'winback init a-folder-with-a-name-longer-than-the-terminal-is-wide'
  addExamples(new Command('init'), [[typed, 'into a folder of its own, which is made if there is none yet']])
    .configureOutput({ writeOut, getOutHelpWidth: () => 50 })
    .outputHelp()
  expect(said).toContain(
    `\nExample:\n  $ ${typed}\n      into a folder of its own, which is made if\n      there is none yet\n`,
  )
})
