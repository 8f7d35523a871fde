import { type AddressInfo, createServer, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { type Call, openHttp } from '../../src/channels/http.ts'

// What a provider may do to a request below the level of answers. That nothing hangs is the point, so the deadline is long.

const stops: (() => void)[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

/** A server that does to each request whatever `meet` does. @returns its address */
async function serve(meet: (socket: Socket) => void): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => meet(socket))
    stops.push(() => socket.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  stops.push(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

function call(url: string, more: Partial<Call> = {}, deadline = 20_000) {
  const http = openHttp({ deadline, reuse: false })
  stops.push(http.close)
  return http.call({ method: 'POST', url, headers: {}, body: 'x', ...more })
}

describe('a request', () => {
  it.for([
    ['another protocol', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'],
    ['nothing but its end', ''],
    ['no HTTP', '220 mail.example ESMTP\r\n'],
    ['half a body', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"a":'],
    ['half a chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"a"'],
    ['headers beyond all bounds', `HTTP/1.1 200 OK\r\nX-Pad: ${'x'.repeat(20_000)}\r\n\r\n`],
    ['more than any answer', `HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(1_000_001)}`],
  ])('that is answered by %s is lost, and has ended', async ([, answer = '']) => {
    expect(await call(await serve((socket) => socket.end(answer)))).toMatchObject({ kind: 'lost' })
  })

  it('ends at its deadline, and before it where less time is left, though the answer trickles', async () => {
    const trickle = (socket: Socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n')
      const drip = setInterval(() => socket.write('x'), 10)
      socket.once('close', () => clearInterval(drip))
    }
    const url = await serve(trickle)
    expect(await call(url, {}, 200)).toEqual({ kind: 'lost', detail: 'no answer within 0.2 s' })
    expect(await call(url, { within: 100 })).toEqual({ kind: 'lost', detail: 'no answer within 0.1 s' })
  })

  it('is given up where its client is closed: lost, or never left; and none is made any more', async () => {
    const http = openHttp({ deadline: 20_000, reuse: false })
    let hear = () => {}
    const heard = new Promise<void>((resolve) => {
      hear = resolve
    })
    const silent = await serve(() => hear())
    const lost = http.call({ method: 'POST', url: silent, headers: {}, body: 'x' })
    await heard
    const nowhere = openHttp({ deadline: 20_000, reuse: false, lookup: () => {} })
    const unsent = nowhere.call({ method: 'POST', url: 'http://never.example/', headers: {}, body: 'x' })
    http.close()
    nowhere.close()
    const detail = expect.stringContaining('ending')
    expect(await lost).toEqual({ kind: 'lost', detail })
    expect(await unsent).toMatchObject({ kind: 'unsent', detail })
    const late = await http.call({ method: 'POST', url: silent, headers: {}, body: 'x' })
    expect(late).toEqual({ kind: 'unsent', detail, unreached: false })
  })

  it.for([
    [{ headers: { Authorization: 'Bearer one\ntwo' } }],
    [{ url: 'http://127.0.0.1:99999/' }],
    [{ url: 'gopher://127.0.0.1/' }],
  ])('that cannot be made never left: %j', async ([more]) => {
    const url = await serve((socket) => socket.destroy())
    expect(await call(url, more)).toMatchObject({ kind: 'unsent', detail: expect.stringMatching(/./) })
  })

  it('is answered in UTF-8, with the mark before it or without', async () => {
    const body = Buffer.from('\uFEFF{"a":"é"}')
    const head = `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`
    const url = await serve((socket) => socket.end(Buffer.concat([Buffer.from(head), body])))
    expect(await call(url)).toMatchObject({ kind: 'answered', status: 200, text: '{"a":"é"}' })
  })
})
