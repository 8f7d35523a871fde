import { expect, it } from 'vitest'
import { remembering } from '../../src/config/book.ts'

it('remembers what was asked for last, and no more than so much; a failure is asked for again', async () => {
  const asked: string[] = []
  let broken = false
  const answer = remembering(async (name: string, version: number) => {
    asked.push(name)
    if (broken) throw new Error('not now')
    return `${name} ${version}`
  }, 2)
  const ask = async (...names: string[]) => {
    asked.length = 0
    for (const name of names) expect(await answer(name, 1)).toBe(`${name} 1`)
    return asked.join('')
  }
  expect(await ask('a', 'b', 'a', 'b')).toBe('ab')
  expect(await ask('a', 'c', 'a')).toBe('c')
  expect(await ask('b')).toBe('b')
  expect(await ask('a', 'c')).toBe('c')
  broken = true
  await expect(answer('d', 1)).rejects.toThrow('not now')
  broken = false
  expect(await ask('d', 'd')).toBe('d')
})
