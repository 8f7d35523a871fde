import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { openListener, type Patience } from '../../src/web/listener.ts'

// What anybody may do to a port that listens. A stranger's connection ends, and others are served meanwhile.

const PATIENT: Patience = { headers: 20_000, request: 20_000, look: 1_000, silence: 20_000 }

const stops: (() => void)[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

type Fetch = (request: Request) => Response | Promise<Response>

async function listen(fetch: Fetch, patience: Partial<Patience> = {}): Promise<number> {
  const server = openListener(fetch, { ...PATIENT, ...patience })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  stops.push(() => {
    server.close()
    server.closeAllConnections()
  })
  return (server.address() as AddressInfo).port
}

/** Sends text, and gives what comes back until the other side ends. @param drip sent again and again meanwhile */
async function exchange(port: number, text: string, drip?: string): Promise<string> {
  const socket = connect(port, '127.0.0.1').setEncoding('latin1')
  stops.push(() => socket.destroy())
  let heard = ''
  socket.on('data', (data: string) => {
    heard += data
  })
  socket.on('error', () => {})
  socket.write(text, 'latin1')
  const dripping = drip === undefined ? undefined : setInterval(() => socket.write(drip), 20)
  await once(socket, 'close')
  clearInterval(dripping)
  return heard
}

const hello: Fetch = () => new Response('hello')

describe('a request that cannot be served', () => {
  it.for([
    ['no HTTP', '\x16\x03\x01\x02\0\x01\r\n\r\n', '400 Bad Request'],
    ['a method nobody knows', 'EAT / HTTP/1.1\r\nHost: x\r\n\r\n', '400 Bad Request'],
    [
      'two lengths',
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
      '400 Bad Request',
    ],
    [
      'headers without end',
      `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
      '431 Request Header',
    ],
    [
      'an address without end',
      `GET /${'x'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
      '431 Request Header',
    ],
    ['a host that is none', 'GET / HTTP/1.1\r\nHost: a b/c\r\nConnection: close\r\n\r\n', '400 Bad Request'],
  ])('is told why in JSON: %s', async ([, text = '', status = '']) => {
    const said = await exchange(await listen(hello), text)
    expect(said).toContain(`HTTP/1.1 ${status}`)
    expect(JSON.parse(said.slice(said.indexOf('{')))).toEqual({
      error: 'malformed',
      reason: expect.stringContaining('the request was not served: '),
      request_id: expect.stringMatching(/^[\w-]{36}$/),
    })
  })

  it('for it comes byte by byte is cut off in time, and others are served meanwhile', async () => {
    const read: Fetch = async (request) => new Response(await request.text())
    const port = await listen(read, { headers: 1_000, request: 1_000, look: 50 })
    const slow = [
      ['GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ', 'x'],
      ['POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n', 'x'],
      ['POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n', '1\r\nx\r\n'],
    ].map(([text = '', drip]) => exchange(port, text, drip))
    const other = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body: 'others' })
    expect(await other.text()).toBe('others')
    for (const said of await Promise.all(slow)) expect(said).toContain('408 Request Timeout')
  })

  it('nobody answers and nobody hangs up on holds its connection no longer than may be', async () => {
    const port = await listen(() => new Promise(() => {}), { silence: 200 })
    expect(await exchange(port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n')).toBe('')
  })
})

it('HTTP/1.0 need not name a host: so ask some that want to know whether a server is well', async () => {
  const port = await listen((request) => new Response(new URL(request.url).pathname))
  const said = await exchange(port, 'GET /readyz HTTP/1.0\r\n\r\n')
  expect(said).toContain('200 OK')
  expect(said).toContain('/readyz')
})

describe('requests sent after each other on one connection', () => {
  const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`

  it('are served one at a time, in their order', async () => {
    let underWay = 0
    let most = 0
    const port = await listen(async (request) => {
      underWay += 1
      most = Math.max(most, underWay)
      await new Promise(setImmediate)
      underWay -= 1
      return new Response(new URL(request.url).pathname)
    })
    const last = 'GET /c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'
    const said = await exchange(port, `${get('/a')}${get('/b')}${last}`)
    expect(said.match(/^\/[abc]/gm)).toEqual(['/a', '/b', '/c'])
    expect(most).toBe(1)
  })

  it('are not waited for beyond a few: whoever sends a thousand is left', async () => {
    let served = 0
    const port = await listen(() => {
      served += 1
      return new Response('x'.repeat(1000))
    })
    await exchange(port, get('/').repeat(1000))
    expect(served).toBeLessThan(20)
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toHaveLength(1000)
  })
})
