import { expect, it } from 'vitest'
import { masterOf } from '../../../src/touchpoints/queue/redis-nodes.ts'

it('asks Sentinels as their default user, and speaks TLS with them and with the master where the url says so', () => {
  expect(masterOf('rediss+sentinel://:p%2Fw@a.example,b.example:26380/shop')).toEqual({
    password: 'p/w',
    sentinelPassword: 'p/w',
    tls: {},
    sentinelTLS: {},
    enableTLSForSentinelMode: true,
    sentinels: [
      { host: 'a.example', port: 26_379 },
      { host: 'b.example', port: 26_380 },
    ],
    name: 'shop',
  })
})

it('tells Sentinels nothing of a user that the master has', () => {
  expect(masterOf('redis+sentinel://winback:pw@a.example/shop')).toEqual({
    username: 'winback',
    password: 'pw',
    sentinels: [{ host: 'a.example', port: 26_379 }],
    name: 'shop',
  })
  expect(masterOf('redis://:pw@a.example,b.example')).toBeUndefined()
})
