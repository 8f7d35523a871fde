import { expect, test } from 'vitest'
import { messageOf } from '../src/errors.ts'
import { freePort } from './support/ports.ts'

test('what a failed fetch says is why it failed', async () => {
  const port = await freePort()
  const said = (host: string) => fetch(`http://${host}:${port}/`).then(String, messageOf)
  expect(await said('127.0.0.1')).toBe(`fetch failed: connect ECONNREFUSED 127.0.0.1:${port}`)
  // Both of its addresses were tried, where it has two.
  expect(await said('localhost')).toMatch(/^fetch failed: .*ECONNREFUSED/)
  expect(messageOf(new Error('no luck', { cause: new Error('hidden') }))).toBe('no luck')
  expect(messageOf('a text')).toBe('a text')
})
