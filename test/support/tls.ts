import { type AddressInfo, createServer as createPlain, type Server, type Socket } from 'node:net'
import { createServer, type TlsOptions } from 'node:tls'
import { EXPIRED, KEY, SELF_SIGNED } from './certificates.ts'

// Servers with which TLS does not come about, each in its way.

const quiet = { self: { key: KEY, cert: SELF_SIGNED }, expired: { key: KEY, cert: EXPIRED } }
const SERVERS = {
  self: () => tls(quiet.self),
  expired: () => tls(quiet.expired),
  old: () =>
    tls({ ...quiet.self, minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }),
  plain: () => createPlain((socket) => socket.on('error', () => {}).write('220 what is this?\r\n')),
  gone: () => createPlain((socket) => socket.destroy()),
} satisfies Record<string, () => Server>

export type Trouble = keyof typeof SERVERS

function tls(options: TlsOptions): Server {
  return createServer(options, (socket) => socket.on('error', () => {})).on('tlsClientError', () => {})
}

export async function startTrouble(trouble: Trouble): Promise<{ port: number; stop(): Promise<void> }> {
  const server = SERVERS[trouble]()
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    stop: () => {
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}
