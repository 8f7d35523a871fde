import { expect, test } from 'vitest'
import { drawBar, startProgress } from '../../src/cli/progress.ts'

function log() {
  const written: string[] = []
  return { written, stream: { write: (text: string) => written.push(text), isTTY: false } }
}

test('off a terminal, says a line every ten seconds and nothing before', () => {
  const { written, stream } = log()
  let now = 0
  const progress = startProgress(stream, 'Importing contacts', { total: 200, clock: () => now })
  for (now = 0; now <= 25_000; now += 500) progress.update(now / 250, 200, `${now} rows`)
  progress.finish()
  expect(written).toEqual([
    'Importing contacts: 20 %, 10000 rows\n',
    'Importing contacts: 40 %, 20000 rows\n',
  ])
})

test('of what has no known end, says how much has come', () => {
  const { written, stream } = log()
  let now = 0
  const progress = startProgress({ ...stream, isTTY: true }, 'Importing contacts', { clock: () => now })
  now = 2000
  progress.update(0, undefined, '12,000 rows')
  progress.finish()
  expect(written.join('')).toContain('Importing contacts  12,000 rows')
  expect(written.join('')).not.toContain('%')
})

test('says nothing where nothing may be said', () => {
  const { written, stream } = log()
  let now = 0
  const progress = startProgress(stream, 'Importing', { total: 2, silent: true, clock: () => now })
  now = 60_000
  progress.update(1)
  progress.finish()
  expect(written).toEqual([])
})

test('on a terminal, draws no bar for what ends within a second', () => {
  const { written, stream } = log()
  let now = 0
  const progress = startProgress({ ...stream, isTTY: true }, 'Quick', { total: 2, clock: () => now })
  progress.update(1)
  now = 999
  progress.update(2)
  progress.finish()
  expect(written).toEqual([])
})

test('a bar shows the share, the detail and what is left', () => {
  expect(drawBar('Importing', 0.5, 7.2, '12,000 rows')).toBe(
    `Importing ${'━'.repeat(14)}${'─'.repeat(14)}  50 %  12,000 rows, 8 s left`,
  )
  expect(drawBar('正在导入联系人', 0.5, 7.2, '12,000 行', 'zh-CN')).toBe(
    `正在导入联系人 ${'━'.repeat(14)}${'─'.repeat(14)}  50%  12,000 行，剩余 8 秒`,
  )
  expect(drawBar('Importing', 0, Number.POSITIVE_INFINITY, '')).toContain('  0 %')
})
