import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import type { LiftResult } from '../../../src/cli/verbs/lift.ts'
import { newcombe } from '../../../src/statistics/newcombe.ts'
import { normalDraws, seeded } from '../../support/draws.ts'
import { scratchDirectory } from '../../support/scratch.ts'
import { run } from '../command.ts'

const cwd = scratchDirectory()

function write(name: string, lines: readonly string[]): string {
  writeFileSync(join(cwd, name), `${lines.join('\n')}\n`)
  return name
}

/** `count` rows of a group, of which the first `yes` came back. */
function rowsOf(group: string, count: number, yes: number): string[] {
  return Array.from({ length: count }, (_, i) => `${group}${i},${group},${i < yes ? 1 : 0}`)
}

const HEADER = 'id,group,back'
const ASKED = ['--arm', 'group', '--control', 'none', '--outcome', 'back']

async function lift(args: readonly string[]) {
  const text = await run(['lift', ...args], { cwd })
  const json = await run(['lift', ...args, '--json'], { cwd })
  return { text, data: JSON.parse(json.stdout) as LiftResult }
}

describe('winback lift', () => {
  const file = write('mail.csv', [HEADER, ...rowsOf('mail', 1800, 270), ...rowsOf('none', 200, 10)])

  it('says in words what a file shows, in both languages', async () => {
    const { text, data } = await lift([file, ...ASKED, '--locale', 'en'])
    expect(text).toMatchObject({ code: 0, stderr: '' })
    expect(text.stdout).toContain(
      'mail: a gain. +10.0 points of back against none (95 % interval +5.7 … +12.8): 180 that',
    )
    const [comparison] = data.comparisons
    expect(comparison?.difference).toEqual(
      newcombe({ recalled: 270, assigned: 1800 }, { recalled: 10, assigned: 200 }),
    )
    expect(comparison?.verdict).toEqual({ kind: 'more' })
    expect(data).toMatchObject({ rows: 2000, rates: true, control: 'none', bad: { count: 0 }, alarm: false })
    const chinese = await run(['lift', file, ...ASKED, '--locale', 'zh-CN'], { cwd })
    expect(chinese.stdout).toContain('mail：有增量。back 与 none 相差 +10.0 个百分点')
    for (const line of [...text.stdout.split('\n'), ...chinese.stdout.split('\n')]) {
      expect(line.length).toBeLessThanOrEqual(100)
    }
  })

  it('says which delimiter a file has whose header is one column', async () => {
    const semicolons = write('semicolons.csv', ['id;group;back', 'u1;mail;1'])
    const { code, stderr } = await run(['lift', semicolons, ...ASKED], { cwd })
    expect(code).toBe(1)
    expect(stderr).toContain("--delimiter ';'")
  })

  it('says how many more are needed where nothing can be told yet', async () => {
    const few = write('few.csv', [HEADER, ...rowsOf('mail', 300, 40), ...rowsOf('none', 30, 3)])
    expect((await lift([few, ...ASKED, '--locale', 'en'])).text.stdout).toContain(
      'mail: not yet. Each group needs at least 10 with back; 7 more are missing.',
    )
    const near = write('near.csv', [HEADER, ...rowsOf('mail', 1800, 230), ...rowsOf('none', 200, 20)])
    const { text, data } = await lift([near, ...ASKED, '--locale', 'en'])
    expect(text.stdout).toContain('no difference shown')
    const verdict = data.comparisons[0]?.verdict
    if (verdict?.kind !== 'no_difference') throw new Error(verdict?.kind)
    expect(verdict.needed).toBeGreaterThan(20)
    expect(text.stdout.replaceAll(/\s+/g, ' ')).toContain(`more with back are needed in none.`)
  })

  it('adjusts for several groups: what one comparison would call a difference, four do not', async () => {
    const groups = ['a', 'b', 'c'].flatMap((name) => rowsOf(name, 1000, 100))
    const lines = [HEADER, ...groups, ...rowsOf('d', 1000, 132), ...rowsOf('none', 1000, 103)]
    const { data } = await lift([write('several.csv', lines), ...ASKED])
    const d = data.comparisons.find(({ arm }) => arm === 'd')
    expect(d?.p).toBeLessThan(0.05)
    expect(d?.adjusted).toBeCloseTo(4 * (d?.p ?? 0), 12)
    expect(d?.verdict.kind).toBe('no_difference')
  })

  it('gives no conclusion where the groups are not as they were drawn', async () => {
    const asked = [file, ...ASKED, '--locale', 'en', '--split']
    expect((await lift([...asked, 'mail=90,none=10'])).data.alarm).toBe(false)
    const { text, data } = await lift([...asked, 'mail=80%,none=20%'])
    expect(data.comparisons[0]?.verdict).toEqual({ kind: 'groups_off' })
    expect(text.stdout).toMatch(/^GROUPS ARE OFF, NO CONCLUSION: mail 1,800, none 200/)
    expect(text.stdout).not.toContain('+10.0')
    // A group that the split does not know is no accident either.
    expect((await lift([...asked, 'other=80,none=20'])).data.alarm).toBe(true)
    const one = write('one.csv', [HEADER, ...rowsOf('mail', 500, 50), ...rowsOf('none', 500, 50), 'x,sms,1'])
    const stray = await lift([one, ...ASKED, '--locale', 'en', '--split', 'mail=50,none=50'])
    expect(stray.data).toMatchObject({ alarm: true, strays: ['sms'] })
    expect(stray.text.stdout).toMatch(/^GROUPS ARE OFF, NO CONCLUSION: the split has no share for sms\. /)
    expect(stray.text.stdout).not.toContain('(p =')
  })

  it('reads what a spreadsheet writes elsewhere: a comma before the cents, its words for yes and no, no empty cells at the end', async () => {
    const table = (yes: string, no: string) => [
      `${HEADER},note`,
      ...rowsOf('mail', 20, 8).map((row) => row.replace(/1$/, yes).replace(/0$/, no)),
      ...rowsOf('none', 20, 3).map((row) => row.replace(/1$/, yes).replace(/0$/, no)),
    ]
    const plain = await lift([write('plain.csv', table('1', '0')), ...ASKED])
    expect(plain.data).toMatchObject({ rows: 40, bad: { count: 0 }, rates: true })
    for (const [yes, no] of [
      ['Ja', 'nein'],
      ['oui', 'Non'],
      ['wahr', 'FALSCH'],
      ['sí', 'no'],
    ] as const) {
      const { data } = await lift([write('words.csv', table(yes, no)), ...ASKED])
      expect(data.comparisons).toEqual(plain.data.comparisons)
    }
    const amounts = table('"1.234,50"', '0')
    const refused = await lift([write('amounts.csv', amounts), ...ASKED])
    expect(refused.data.bad.first[0]?.reason).toBe(
      'back "1.234,50" is not a number; for a comma before the cents, say --decimal ,',
    )
    const read = await lift([write('amounts.csv', amounts), ...ASKED, '--decimal', ','])
    expect(read.data).toMatchObject({ rates: false, bad: { count: 0 } })
    expect(read.data.arms[0]?.sum).toBeCloseTo(8 * 1234.5)
  })

  it('names the rows it cannot use by line, and goes on', async () => {
    const broken = write('broken.csv', [
      HEADER,
      ...rowsOf('mail', 100, 30),
      'x,mail,1,2',
      'y,,1',
      'z,mail,perhaps',
      'w,mail,',
      '"v,mail,1',
      ...rowsOf('none', 100, 15),
    ])
    const { text, data } = await lift([broken, ...ASKED, '--locale', 'en'])
    expect(data.rows).toBe(205)
    expect(data.bad.first).toEqual([
      { line: 102, reason: '4 columns where the header has 3' },
      { line: 103, reason: 'group is empty' },
      { line: 104, reason: 'back "perhaps" is not a number' },
      { line: 105, reason: 'back is empty; write 0 where nothing came of it' },
      { line: 106, reason: 'a quote is never closed' },
    ])
    expect(text.stdout).toContain('Left out: 5 rows of 205\n  line 102: 4 columns')
    expect(data.arms.map(({ arm, n }) => [arm, n])).toEqual([
      ['mail', 100],
      ['none', 100],
    ])
  })

  it('counts the rows that it names no more, and says of a header that cannot be read why', async () => {
    const lines = [HEADER, ...rowsOf('mail', 20, 5), ...rowsOf('none', 20, 5)]
    const many = write('many.csv', [...lines, ...Array.from({ length: 1012 }, () => 'z,mail,perhaps')])
    expect((await lift([many, ...ASKED, '--locale', 'en'])).text.stdout).toContain('\n  and 1,002 more')
    // 组别 as GBK has it.
    writeFileSync(
      join(cwd, 'gbk.csv'),
      Buffer.from([0xd7, 0xe9, 0xb1, 0xf0, 0x2c, 0x62, 0x0a, 0x61, 0x2c, 0x31, 0x0a]),
    )
    const { stderr } = await run(['lift', 'gbk.csv', '--arm', '组别', '--control', 'a', '--outcome', 'b'], {
      cwd,
    })
    expect(stderr).toMatch(/header of \S*gbk\.csv cannot be read: the line is not UTF-8; name the encoding/)
  })

  it('compares amounts, steadied by what was known before, and prices one more', async () => {
    const normal = normalDraws(seeded('lift'))
    const lines = ['who\tarm\tspent\tbefore\tcost']
    for (let i = 0; i < 600; i += 1) {
      const arm = i % 3 === 0 ? 'none' : 'gift'
      const before = 50 + 20 * normal()
      const spent = before + 5 * normal() + (arm === 'gift' ? 4 : 0)
      lines.push(`${i}\t${arm}\t${spent.toFixed(4)}\t${before.toFixed(4)}\t${arm === 'gift' ? 1.5 : 0}`)
    }
    writeFileSync(join(cwd, 'spend.tsv.gz'), gzipSync(lines.join('\n')))
    const asked = ['--arm', 'arm', '--control', 'none', '--outcome', 'spent', '--locale', 'en']
    const { text, data } = await lift([
      'spend.tsv.gz',
      ...asked,
      '--covariate',
      'before',
      '--cost',
      'cost',
      '--value',
      '1',
    ])
    expect(data.rates).toBe(false)
    const adjusted = data.comparisons[0]?.cuped
    if (adjusted?.adjusted.kind !== 'estimate' || adjusted.raw.kind !== 'estimate')
      throw new Error('estimates')
    expect(adjusted.adjusted.value).toBeGreaterThan(3)
    expect(adjusted.adjusted.value).toBeLessThan(5)
    expect(adjusted.adjusted.standardError).toBeLessThan(adjusted.raw.standardError / 3)
    expect(text.stdout).toContain('with the covariate')
    expect(text.stdout).toMatch(
      /gift: (each spent that would not have been costs|what one more spent costs cannot)/,
    )
    expect(text.stdout).toContain('after its cost')
    // --json has all three beside each other: the difference, steadied, and priced.
    const [priced] = data.comparisons
    expect(data).toMatchObject({ rows: 600, control: 'none', rates: false, alarm: false })
    expect(priced).toMatchObject({ arm: 'gift', verdict: { kind: 'more' }, difference: { kind: 'estimate' } })
    expect(adjusted.theta).toBeCloseTo(1, 1)
    expect(priced?.cost).toMatchObject({ each: { answer: 'cost' }, benefit: { kind: 'estimate' } })
  })

  it.each([
    {
      what: 'a floor without a ceiling',
      // Each costs one: what two points more may be is anything from nothing on.
      mail: (n: number) => ({ back: n < 36, cost: 1 }),
      none: 30,
      kind: 'exclusive',
      en: /cannot be said yet: at least [\d.]+, no upper limit yet\./,
      chinese: /暂算不出：至少 [\d.]+，尚无上限。/,
    },
    {
      what: 'two ends without a middle',
      // Who came back cost five, hardly more did, and of the others something was paid back.
      mail: (n: number) => ({ back: n < 12, cost: n < 12 ? 5 : -0.1 }),
      none: 10,
      kind: 'exclusive',
      en: /cannot be said yet: [\d.]+ or less, or [\d.]+ or more: which of the two cannot be told yet\./,
      chinese: /暂算不出：不高于 [\d.]+ 或不低于 [\d.]+，尚无法判断是哪一种。/,
    },
    {
      what: 'anything at all',
      // Costs that scatter by hundreds, refunds among them.
      mail: (n: number) => ({ back: n < 36, cost: n % 2 === 0 ? 202 : -200 }),
      none: 30,
      kind: 'everything',
      en: /cannot be said yet: any amount fits yet\./,
      chinese: /暂算不出：目前任何金额都有可能。/,
    },
  ])('says of a price without bounds what it can: $what', async ({ mail, none, kind, en, chinese }) => {
    const lines = ['group,back,cost']
    for (let n = 0; n < 300; n += 1) {
      const { back, cost } = mail(n)
      lines.push(`mail,${back ? 1 : 0},${cost}`, `none,${n < none ? 1 : 0},0`)
    }
    const asked = [write('prices.csv', lines), ...ASKED, '--cost', 'cost']
    const { text, data } = await lift([...asked, '--locale', 'en'])
    expect(data.comparisons[0]?.cost).toMatchObject({ each: { answer: 'not_estimable', fieller: { kind } } })
    const flat = (told: string) => told.replaceAll(/\s+/g, ' ')
    expect(flat(text.stdout)).toMatch(en)
    const other = await run(['lift', ...asked, '--locale', 'zh-CN'], { cwd })
    expect(other.stdout.replaceAll(/\n\s*/g, '')).toMatch(chinese)
  })

  it('gives a sum as it is: rounded, it was another than that of the file', async () => {
    const spent = (group: string, amounts: readonly number[]) =>
      amounts.map((amount) => `u,${group},${amount}`)
    const sums = async (name: string, mail: readonly number[], none: readonly number[]) => {
      const file = write(name, [HEADER, ...spent('mail', mail), ...spent('none', none)])
      const { text } = await lift([file, ...ASKED, '--locale', 'en'])
      return text.stdout
        .split('\n')
        .flatMap((line) => /^ {2}(?:mail|none \(control\)) +\d+ +(\S+)/.exec(line)?.[1] ?? [])
    }
    expect(await sums('yen.csv', [40_123, 47_523], [12_345_678, 1])).toEqual(['87,646', '12,345,679'])
    expect(await sums('dinars.csv', [1234.125, 0.25], [0.0012, 0.00034])).toEqual(['1,234.375', '0.00154'])
  })

  it('says nothing relative to less than nothing: a mean twice as far below it was told as +100 %', async () => {
    const below = (group: string, mean: number) =>
      Array.from({ length: 40 }, (_, i) => `${group}${i},${group},${mean + (i % 2 === 0 ? 1 : -1)}`)
    const losses = write('losses.csv', ['id,group,revenue', ...below('mail', -2), ...below('none', -1)])
    const { text, data } = await lift([
      losses,
      ...['--arm', 'group', '--control', 'none', '--outcome', 'revenue', '--locale', 'en'],
    ])
    expect(data.comparisons).toMatchObject([{ difference: { value: -1 }, relative: { kind: 'not_enough' } }])
    expect(text.stdout).not.toMatch(/[+-]\d[\d.]* %/)
  })

  it('has no price, and no benefit, where hardly anybody of a group came back: as the reports', async () => {
    const rows = (none: number) => [
      'group,back,cost',
      ...Array.from({ length: 200 }, (_, n) => `mail,${n < 80 ? 1 : 0},1`),
      ...Array.from({ length: 200 }, (_, n) => `none,${n < none ? 1 : 0},0`),
    ]
    const ask = async (none: number) =>
      await lift([
        write(`few-${none}.csv`, rows(none)),
        ...[...ASKED, '--cost', 'cost', '--value', '9', '--locale', 'en'],
      ])
    const few = await ask(9)
    expect(few.data.comparisons[0]?.cost).toEqual({ kind: 'not_enough', why: 'few_recalls' })
    expect(few.text.stdout.replaceAll(/\s+/g, ' ')).toContain(
      'mail: what one more back costs cannot be said yet: at least 10 with back are needed in each group.',
    )
    expect(few.text.stdout).not.toContain('after its cost')
    const other = await run(
      ['lift', 'few-9.csv', ...ASKED, '--cost', 'cost', '--value', '9', '--locale', 'zh-CN'],
      {
        cwd,
      },
    )
    expect(other.stdout.replaceAll(/\n\s*/g, '')).toContain(
      '每多一个 back 的成本暂算不出：每组至少需要 10 个 back。',
    )
    const enough = await ask(10)
    expect(enough.data.comparisons[0]?.cost).toMatchObject({
      each: { answer: 'cost' },
      benefit: { kind: 'estimate' },
    })
    // Of an amount, it is the rows with any that count: a sum of ten is no ten who bought.
    const amounts = write('amounts.csv', [
      'group,back,cost',
      ...Array.from({ length: 200 }, (_, n) => `mail,${n < 40 ? 30.5 : 0},1`),
      ...Array.from({ length: 200 }, (_, n) => `none,${n < 2 ? 30.5 : 0},0`),
    ])
    const { data } = await lift([amounts, ...ASKED, '--cost', 'cost'])
    expect(data.comparisons[0]?.cost).toEqual({ kind: 'not_enough', why: 'few_recalls' })
  })

  it('reads NDJSON and words for yes and no', async () => {
    const people = ['yes', 'no', 'true', 'false', '是', '否'].flatMap((back) =>
      ['mail', 'none'].map((group) => JSON.stringify({ group, back })),
    )
    const { data } = await lift([write('people.ndjson', people), ...ASKED])
    expect(data.arms).toMatchObject([
      { arm: 'mail', n: 6, sum: 3 },
      { arm: 'none', n: 6, sum: 3 },
    ])
  })

  it('says what is wrong with the question', async () => {
    const column = await run(['lift', file, '--arm', 'gruop', '--control', 'none', '--outcome', 'back'], {
      cwd,
    })
    expect(column.code).toBe(1)
    expect(column.stderr).toContain('did you mean "group"?'.replace('did', 'Did'))
    const control = await run(['lift', file, '--arm', 'group', '--control', 'nobody', '--outcome', 'back'], {
      cwd,
    })
    expect(control.stderr).toContain('The groups are: mail, none.')
    const arms = await run(['lift', file, '--arm', 'id', '--control', 'none', '--outcome', 'back'], { cwd })
    expect(arms.stderr).toContain('has more than 50 values')
    const useless = write('useless.csv', [HEADER, 'a,mail,?', 'b,none,?'])
    expect(await run(['lift', useless, ...ASKED], { cwd })).toMatchObject({ code: 1 })
    const help = await run(['lift', '--help'], { cwd })
    expect(help.stdout).toContain('winback lift last-campaign.csv --arm group')
  })

  it('is alone with one group: nobody to compare with', async () => {
    const { text } = await lift([
      write('alone.csv', [HEADER, ...rowsOf('none', 20, 4)]),
      ...ASKED,
      '--locale',
      'en',
    ])
    expect(text.stdout).toContain('Not yet: "none" is alone')
  })
})
