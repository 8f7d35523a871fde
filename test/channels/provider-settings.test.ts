import { expect, it } from 'vitest'
import { providerUrl } from '../../src/channels/provider-settings.ts'

it.each([
  ['https://api.twilio.com/', undefined],
  // Stand-ins of a test.
  ['http://127.0.0.1:8080/', undefined],
  ['http://localhost/', undefined],
  ['http://[::1]:9/', undefined],
  ['http://api.twilio.com/', 'must be https'],
  ['http://127.0.0.1.example.com/', 'must be https'],
  ['api.twilio.com', 'expected an address'],
  ['ftp://api.twilio.com/', 'expected an address'],
])('the address of a provider, to which keys are given: %s', (url, problem) => {
  const read = providerUrl.safeParse(url)
  if (problem === undefined) expect(read.success).toBe(true)
  else expect(read.error?.issues[0]?.message).toContain(problem)
})
