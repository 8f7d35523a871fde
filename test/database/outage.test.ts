import { expect, test } from 'vitest'
import { isOutage, throughOutage } from '../../src/database/outage.ts'

const failed = (code: string, address: string) =>
  Object.assign(new Error(`connect ${code} ${address}`), { code })

/** As Node makes it of all addresses that a host has: it bears the first one's code. */
function allFailed(first: Error & { code: string }, ...others: Error[]): AggregateError {
  return Object.assign(new AggregateError([first, ...others]), { code: first.code })
}

test('a server is away where any of its addresses says so: to the first, this machine may have no way at all', async () => {
  const away = allFailed(failed('EADDRNOTAVAIL', '::1:5432'), failed('ECONNREFUSED', '127.0.0.1:5432'))
  const answers = [() => Promise.reject(away), () => Promise.resolve('recorded')]
  expect(await throughOutage(() => answers.shift()?.() ?? Promise.resolve('asked too often'), 10)).toBe(
    'recorded',
  )
  expect(isOutage(allFailed(failed('EACCES', '::1:5432'), failed('EACCES', '127.0.0.1:5432')))).toBe(false)
})
