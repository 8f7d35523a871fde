import { connect } from 'node:net'
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

test('what a host of several addresses did not answer is told of each', async () => {
  const port = await freePort()
  const both = [
    { address: '::1', family: 6 },
    { address: '127.0.0.1', family: 4 },
  ]
  const socket = connect({ host: 'mail.test', port, lookup: (_host, _options, done) => done(null, both) })
  const error = await new Promise((resolve) => socket.once('error', resolve))
  // Where the machine has no IPv6, the first says so by another code.
  const said = new RegExp(`^connect E[A-Z]+ ::1:${port}.*; connect ECONNREFUSED 127\\.0\\.0\\.1:${port}$`)
  expect(messageOf(error)).toMatch(said)
  expect(messageOf(new TypeError('fetch failed', { cause: error }))).toBe(`fetch failed: ${messageOf(error)}`)
  expect(messageOf(new AggregateError([error], 'two campaigns failed'))).toBe('two campaigns failed')
})
