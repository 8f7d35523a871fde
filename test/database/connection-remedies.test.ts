import { connect } from 'node:tls'
import { expect, test } from 'vitest'
import { connectionRemedy } from '../../src/database/connection-remedies.ts'
import { messageOf } from '../../src/errors.ts'
import { startTrouble } from '../support/tls.ts'

test.for([
  ['self', 'self-signed certificate', /NODE_EXTRA_CA_CERTS/],
  ['expired', 'certificate has expired', /renew its certificate/],
  ['old', 'TLS: tlsv1 alert protocol version', /1\.2 or newer/],
  ['plain', 'TLS: wrong version number', /does not begin with TLS/],
  ['gone', /before secure TLS/, /right port/],
] as const)('what to do about TLS that does not come about: %s', async ([trouble, said, remedy]) => {
  const { port, stop } = await startTrouble(trouble)
  const error = await new Promise<Error>((resolve) => {
    connect({ host: '127.0.0.1', port, minVersion: 'TLSv1.2' }).once('error', resolve)
  })
  await stop()
  expect(messageOf(error)).toMatch(said)
  expect(connectionRemedy(error)?.en).toMatch(remedy)
  expect(connectionRemedy(error)?.zh).toMatch(/[一-鿿].*[。？]$/)
})

test.each([
  ['getaddrinfo ENOTFOUND mx.shop.exmaple', /spelt/],
  ['getaddrinfo EAI_AGAIN mx.shop.example', /resolv\.conf/],
  ["Hostname/IP does not match certificate's altnames: IP: 127.0.0.1 is not in the cert's list: ", /host/],
  ['The server does not support SSL connections', /sslmode=disable/],
  [
    'no pg_hba.conf entry for host "10.0.0.2", user "winback", database "winback", no encryption',
    /sslmode=verify-full.*sslrootcert=/,
  ],
  ['no pg_hba.conf entry for host "10.0.0.2", user "winback", database "winback", SSL encryption', undefined],
  ['connect ECONNREFUSED 127.0.0.1:1', undefined],
])('what to do about “%s”', (said, remedy) => {
  const found = connectionRemedy(new Error(said))?.en
  if (remedy === undefined) expect(found).toBeUndefined()
  else expect(found).toMatch(remedy)
})
