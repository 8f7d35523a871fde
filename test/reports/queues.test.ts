import { expect, it } from 'vitest'
import { type Gap, gapBetween, gapText, type Queue } from '../../src/reports/queues.ts'

const at = (engine: Queue['engine'], schedulers: string[], workers: string[]): Queue => ({
  engine,
  place: engine === 'redis' ? 'cache:6379 {winback}' : '',
  schedulers,
  workers,
})

it.each<[string, Gap | undefined, Queue[]]>([
  ['nobody runs', undefined, []],
  ['all have one', undefined, [at('redis', ['a'], ['b', 'c'])]],
  ['no worker runs', 'no_worker', [at('postgres', ['a'], []), at('redis', ['b'], [])]],
  ['no scheduler runs', 'no_scheduler', [at('postgres', [], ['a'])]],
  ['scheduler here, worker there', 'apart', [at('postgres', ['a'], []), at('redis', [], ['b'])]],
  ['one of two workers is elsewhere', 'apart', [at('postgres', ['a'], ['b']), at('redis', [], ['c'])]],
  ['one of two schedulers has no worker', 'apart', [at('postgres', ['a'], ['b']), at('redis', ['c'], [])]],
  ['each does its own work', undefined, [at('postgres', ['a'], ['a']), at('redis', ['b'], ['b'])]],
])('what lies between them where %s: %s', (_, gap, queues) => {
  expect(gapBetween(queues)).toBe(gap)
})

it('who has which queue is said in both languages', () => {
  const queues = [at('postgres', ['a'], ['a']), at('redis', [], ['b', 'c'])]
  expect(gapText('apart', queues, 'en').found).toBe(
    'schedulers and workers have different queues, and what is handed to one is taken by nobody at another: ' +
      'the database (scheduler on a and worker on a); Redis at cache:6379 {winback} (worker on b, c)',
  )
  expect(gapText('apart', queues, 'zh-CN').found).toBe(
    '调度器与工作进程使用的队列不同，交给其中一个队列的消息，其他队列上无人处理：' +
      '数据库（调度器位于 a，工作进程位于 a）；cache:6379 {winback} 的 Redis（工作进程位于 b、c）',
  )
})
