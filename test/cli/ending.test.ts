import { expect, test } from 'vitest'
import { endAll } from '../../src/cli/ending.ts'

test('what has not ended is named until it has, and nothing else', async () => {
  const said: (readonly string[])[] = []
  let freed = () => {}
  const hung = new Promise<void>((resolve) => {
    freed = resolve
  })
  await endAll(
    [
      { name: 'web', close: async () => {} },
      { name: 'scheduler', close: () => hung },
    ],
    (names) => {
      said.push(names)
      if (said.length === 2) freed()
    },
    () => {},
    { silence: 1, patience: 60_000 },
  )
  expect(said).toEqual([['scheduler'], ['scheduler']])
})

test('an end in order is silent, and one that fails is told', async () => {
  const late = () => {
    throw new Error('nothing was late')
  }
  await endAll([{ name: 'web', close: async () => {} }], late, late)
  const failing = { name: 'worker', close: () => Promise.reject(new Error('no way out')) }
  await expect(endAll([failing], late, late)).rejects.toThrow('no way out')
})

test('what waits for a provider is told to leave it after a while', async () => {
  let freed = () => {}
  const hung = new Promise<void>((resolve) => {
    freed = resolve
  })
  const worker = { name: 'worker', close: () => hung }
  await endAll(
    [worker],
    () => {},
    () => freed(),
    { silence: 60_000, patience: 1 },
  )
})
