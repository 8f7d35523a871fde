import { describe, expect, test } from 'vitest'
import { nearMisses } from '../../src/cli/suggestion.ts'
import { VERB_NAMES } from '../../src/cli/verbs.ts'
import { scratchDirectory } from '../support/scratch.ts'
import { run } from './command.ts'

const here = { cwd: scratchDirectory() }

describe('what may have been meant', () => {
  test.each([
    ['rep', ['replay', 'report']],
    ['repot', ['report']],
    ['reports', ['report']],
    ['inti', ['init']],
    ['hepl', ['help']],
    ['apikeys', ['api-keys']],
    ['exp', ['explain', 'export']],
    ['stopped', ['stop']],
    ['Plan', ['plan']],
    ['x', []],
    ['everything', []],
  ])('%s', (word, meant) => {
    expect(nearMisses(word, [...VERB_NAMES, 'help']).toSorted()).toEqual(meant)
  })

  test.each([
    ['--as-off', ['--as-of']],
    ['--form', ['--from']],
    ['-from', ['--from']],
    ['--fro=2026-01-01', ['--from']],
    ['--asof', ['--as-of']],
    ['--camp', ['--campaign']],
  ])('%s', (word, meant) => {
    expect(nearMisses(word, ['--from', '--to', '--format', '--as-of', '--campaign'])).toEqual(meant)
  })

  test('every verb is suggested for each slip of one letter in it, before all that are farther off', () => {
    for (const verb of VERB_NAMES) {
      for (const [no] of [...verb].entries()) {
        for (const slip of [
          `${verb.slice(0, no)}${verb.slice(no + 1)}`,
          `${verb.slice(0, no)}x${verb.slice(no)}`,
        ]) {
          if (VERB_NAMES.includes(slip)) continue
          expect(nearMisses(slip, [...VERB_NAMES, 'help']), slip).toContain(verb)
        }
      }
    }
  })
})

test.each([
  [
    ['rep'],
    "error: unknown command 'rep'\n  → Did you mean replay or report? winback --help has the verbs.",
    '错误：没有命令 rep\n  → 是否指 replay 或 report？winback --help 列出全部命令。',
  ],
  [
    ['report', '--as-off', '2026-01-01'],
    "error: unknown option '--as-off'\n  → Did you mean --as-of? winback report --help has the options and examples.",
    '错误：没有选项 --as-off\n  → 是否指 --as-of？winback report --help 列出选项和示例。',
  ],
  [
    ['replay', '--form', '2026-01-01'],
    "error: unknown option '--form'\n  → Did you mean --from? winback replay --help has the options and examples.",
    '错误：没有选项 --form\n  → 是否指 --from？winback replay --help 列出选项和示例。',
  ],
  [
    ['import', 'contact', 'x.csv'],
    "error: unknown command 'contact'\n  → Did you mean contacts? winback import --help has the options and examples.",
    '错误：没有命令 contact\n  → 是否指 contacts？winback import --help 列出选项和示例。',
  ],
  [
    ['import', 'orders', 'x.csv'],
    "error: unknown command 'orders'\n  → There are contacts, activity, suppressions, consents, sends, interviews, redemptions, codes. winback import --help has the options and examples.",
    '错误：没有命令 orders\n  → 可选：contacts、activity、suppressions、consents、sends、interviews、redemptions、codes。winback import --help 列出选项和示例。',
  ],
  [
    ['users', 'add', 'ann', '--role', 'oprator'],
    "error: option '--role <role>' argument 'oprator' is invalid. Allowed choices are viewer, agent, operator, admin.\n  → Did you mean operator? winback users add --help has the options and examples.",
    '错误：选项 --role <role> 的值 oprator 无效，可选：viewer, agent, operator, admin\n  → 是否指 operator？winback users add --help 列出选项和示例。',
  ],
  [['stop'], "error: missing required argument 'campaign'\n", '错误：缺少参数 campaign\n'],
  [
    ['replay'],
    "error: required option '--from <time>' not specified\n",
    '错误：缺少必需的选项 --from <time>\n',
  ],
  [['explain', 'u1', 'u2'], 'error: too many arguments for', '错误：参数过多：应有 1 个，实有 2 个\n'],
  [
    ['consent', 'u1', '--give', 'sms', '--withdraw', 'sms'],
    'cannot be used with option',
    '错误：选项 --give <channel> 不能与 --withdraw <channel> 同时使用\n',
  ],
])('%j is told in both languages what it was to be', async (args, english, chinese) => {
  const said = async (locale: string) => {
    const { code, stdout, stderr } = await run([...args, `--locale=${locale}`], here)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    return stderr
  }
  expect(await said('en')).toContain(english)
  expect(await said('zh-CN')).toContain(chinese)
})

test('with --json, what was meant is in the remedy', async () => {
  const { stdout } = await run(['reprot', '--json'], here)
  expect(JSON.parse(stdout)).toEqual({
    error: {
      code: 'usage',
      message: "unknown command 'reprot'",
      remedy: 'Did you mean report? winback --help has the verbs.',
    },
  })
})

test('the headings of the help are in the language asked for', async () => {
  const whole = (await run(['--help', '--locale', 'zh-CN'], here)).stdout
  for (const heading of ['用法：', '选项：', '从这里开始：', '日常维护：', '退出码：'])
    expect(whole).toContain(heading)
  const one = (await run(['report', '--help', '--locale', 'zh-CN'], here)).stdout
  for (const heading of ['用法：', '参数：', '选项：', '通用选项：', '示例：']) expect(one).toContain(heading)
  for (const text of [whole, one]) expect(text).not.toMatch(/^(?!New here)[A-Z][A-Za-z ]*:/m)
  expect((await run(['report', '--help', '--locale', 'en'], here)).stdout).toMatch(
    /^Usage: [\s\S]*^Examples:$/m,
  )
})
