import { type AddressInfo, createServer, type Socket } from 'node:net'
import { connect, TLSSocket } from 'node:tls'
import { afterEach, describe, expect, it } from 'vitest'
import { openLine } from '../../../src/channels/email/line.ts'
import { KEY, SELF_SIGNED } from '../../support/certificates.ts'

const stops: (() => void)[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

/** @returns its port */
async function serve(talk: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => {
    stops.push(() => socket.destroy())
    socket.on('error', () => {})
    talk(socket)
  })
  stops.push(() => server.close())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

async function open(talk: (socket: Socket) => void): Promise<Socket> {
  const line = await openLine('127.0.0.1', await serve(talk), 20_000)
  stops.push(() => line.destroy())
  return line
}

/** What comes until the line ends, and with what. */
function listen(line: Socket): Promise<{ bytes: number; error: string | undefined }> {
  return new Promise((resolve) => {
    let bytes = 0
    let error: string | undefined
    line.on('data', (chunk: Buffer) => (bytes += chunk.length))
    line.on('error', ({ message }) => (error = message))
    line.once('close', () => resolve({ bytes, error }))
  })
}

const MEGABYTE = Buffer.alloc(1_000_000, '\n')
const FLOODED = 'the server says much and answers nothing'

describe('a line to a mail server', () => {
  it('ends where the server says more than anybody asked for', async () => {
    const line = await open((socket) => socket.write(MEGABYTE))
    const { bytes, error } = await listen(line)
    expect(error).toBe(FLOODED)
    expect(bytes).toBeLessThanOrEqual(32_768)
  })

  it('ends so when it is encrypted, too', async () => {
    const line = await open((socket) => {
      const secure = new TLSSocket(socket, { isServer: true, key: KEY, cert: SELF_SIGNED })
      secure.on('error', () => {})
      secure.once('secure', () => secure.write(MEGABYTE))
    })
    const secure = connect({ socket: line, rejectUnauthorized: false })
    stops.push(() => secure.destroy())
    expect((await listen(secure)).bytes).toBeLessThanOrEqual(32_768)
    expect(line.errored?.message).toBe(FLOODED)
  })

  it('takes any number of answers to what it says', async () => {
    const line = await open((socket) => socket.on('data', () => socket.write(MEGABYTE.subarray(0, 20_000))))
    let bytes = 0
    line.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes % 20_000 !== 0) return
      if (bytes < 200_000) line.write('more')
      else line.end()
    })
    line.write('more')
    await new Promise((resolve) => line.once('close', resolve))
    expect([bytes, line.errored]).toEqual([200_000, null])
  })

  it('gives what came before its end, and ends without an error as the server does', async () => {
    const line = await open((socket) => socket.end('421 4.3.2 closing\r\n'))
    expect(await listen(line)).toEqual({ bytes: 19, error: undefined })
  })

  it('says what was cut', async () => {
    const line = await open((socket) => socket.once('data', () => socket.resetAndDestroy()))
    line.write('EHLO')
    expect(await listen(line)).toEqual({ bytes: 0, error: expect.stringContaining('ECONNRESET') })
  })
})
