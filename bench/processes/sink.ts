import { createServer, type Socket } from 'node:net'
import { serve } from '../child.ts'

// An SMTP server that takes everything and keeps nothing: as little work as the protocol allows, so that what is
// measured is the sender.

export interface Ready {
  readonly port: number
}
export interface Counted {
  readonly messages: number
  readonly bytes: number
}

const END = Buffer.from('\r\n.\r\n')

function converse(socket: Socket, taken: (bytes: number) => void): void {
  let inBody = false
  let bytes = 0
  let rest = Buffer.alloc(0)
  socket.setNoDelay(true)
  socket.on('error', () => {})
  socket.on('data', (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    for (;;) {
      if (inBody) {
        const end = rest.indexOf(END)
        if (end === -1) {
          // What is kept may be the beginning of the end.
          const keep = Math.min(rest.length, END.length - 1)
          bytes += rest.length - keep
          rest = rest.subarray(rest.length - keep)
          return
        }
        taken(bytes + end)
        bytes = 0
        rest = rest.subarray(end + END.length)
        inBody = false
        socket.write('250 taken\r\n')
        continue
      }
      const end = rest.indexOf('\r\n')
      if (end === -1) return
      const verb = rest.toString('latin1', 0, Math.min(end, 4)).toUpperCase()
      rest = rest.subarray(end + 2)
      if (verb === 'EHLO') socket.write('250-sink\r\n250 8BITMIME\r\n')
      else if (verb === 'DATA') {
        inBody = true
        socket.write('354 go on\r\n')
      } else if (verb === 'QUIT') socket.end('221 bye\r\n')
      else socket.write('250 ok\r\n')
    }
  })
  socket.write('220 sink ESMTP\r\n')
}

serve<object, Counted, Ready>(async (_task, note, ended) => {
  const counted = { messages: 0, bytes: 0 }
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    converse(socket, (bytes) => {
      counted.messages += 1
      counted.bytes += bytes
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address && typeof address === 'object') note({ port: address.port })
  // Ends when the parent hangs up; the parent asks for the count before it does.
  process.on('message', () => process.send?.({ note: counted }))
  await ended
  for (const socket of sockets) socket.destroy()
  server.close()
  return counted
})
