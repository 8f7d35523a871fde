import type { Command } from 'commander'
import { describe, expect, test } from 'vitest'
import { chineseHelp, chineseOf, TABLES } from '../../../src/cli/help/chinese.ts'
import { describeProgram, verbOf } from '../../../src/cli/program.ts'
import { environmentFrom } from '../../../src/config/environment.ts'
import { cellsOf } from '../../../src/reports/layout.ts'
import { verbs } from '../command.ts'

/** The help of the program, of each verb and of those under it, by what is typed; and the sentences it asked for. */
function readHelp(columns: number) {
  const texts = new Map<string, string>()
  const sentences = new Map<string, string>()
  let verb = ''
  const help = chineseHelp((sentence) => {
    sentences.set(sentence, verb)
    return chineseOf(sentence)
  })
  const write = (text: string) => texts.set(verb, (texts.get(verb) ?? '') + text)
  const stream = { write, columns }
  const program = describeProgram(
    verbs,
    async () => {},
    { environment: environmentFrom({}), stdout: stream, stderr: stream },
    { language: 'zh-CN', help },
  )
  const read = (command: Command) => {
    verb = verbOf(command)
    command.outputHelp()
    for (const child of command.commands) read(child)
  }
  read(program)
  return { texts, sentences }
}

describe('the help in Chinese', () => {
  const { texts, sentences } = readHelp(80)

  test('has a translation of each sentence of each verb', () => {
    expect(texts.size).toBeGreaterThan(60)
    const missing = [...sentences].filter(([sentence]) => chineseOf(sentence) === undefined)
    expect(missing.map(([sentence, verb]) => `${verb}: ${sentence}`)).toEqual([])
  })

  test('has no translation of what no verb says', () => {
    const keys = TABLES.flatMap((table) => Object.keys(table))
    expect(keys.filter((key) => !sentences.has(key) && !sentences.has(`${key}.`))).toEqual([])
    expect(keys.filter((key, no) => keys.indexOf(key) !== no)).toEqual([])
  })

  test('has no English left but what is typed', () => {
    const left = [...texts].flatMap(([verb, text]) =>
      text.split('\n').flatMap((line) => {
        const words = line
          .replace(/^ {2}\$ .*?(?: {2}|$)/, '')
          // An option, an argument or a verb, at the head of its line.
          .replace(/^ {2}\S.*? {2}/, '')
          .replace(/^用法：.*|JSON Schema/, '')
          .replaceAll(/`[^`]*`/g, '')
          .replaceAll(/[\w./{}-]*[_./:-][\w./:{}-]*/g, '')
        return /[A-Za-z’]{2,} [A-Za-z’]{2,}/.test(words) ? [`${verb}: ${line}`] : []
      }),
    )
    expect(left).toEqual([])
  })

  test.each([60, 80, 100])('keeps to %d columns, commands apart', (columns) => {
    const wide = [...readHelp(columns).texts].flatMap(([verb, text]) =>
      text
        .split('\n')
        .filter((line) => !line.startsWith('  $ ') && cellsOf(line) > columns)
        .map((line) => `${verb}: ${line}`),
    )
    expect(wide).toEqual([])
  })

  test('begins no line with a mark that closes, and ends none with one that opens', () => {
    const torn = [60, 80, 100].flatMap((columns) =>
      [...readHelp(columns).texts].flatMap(([verb, text]) =>
        text
          .split('\n')
          .filter((line) => /^\s*[，。；：、！？）》”]|[（《“]$/.test(line))
          .map((line) => `${verb}: ${line}`),
      ),
    )
    expect(torn).toEqual([])
  })
})
