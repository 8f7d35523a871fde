import { Hono } from 'hono'
import { expect, it } from 'vitest'
import { limitBody, openBodyMemory } from '../../src/web/body-limit.ts'

/** A body that is sent piece by piece. */
function open(pieces: readonly number[] = []) {
  let sender: ReadableStreamDefaultController<Uint8Array> | undefined
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      sender = controller
    },
  })
  const send = (size: number) => sender?.enqueue(new Uint8Array(size))
  pieces.forEach(send)
  return { body, send, end: () => sender?.close() }
}

function openApp(most: number) {
  const app = new Hono()
  app.use(limitBody(100_000, (c) => c.text('too large', 413), openBodyMemory(most)))
  app.post('/', async (c) => c.text(String((await c.req.arrayBuffer()).byteLength)))
  return (body: ReadableStream, headers: Record<string, string> = {}) =>
    app.request('/', { method: 'POST', body, headers, duplex: 'half' } as RequestInit)
}

it('bodies that come in hold no more than a limit together: who has been at it longest makes room', async () => {
  const post = openApp(200_000)
  const slow = open([90_000])
  const slower = open([90_000])
  // One says how much there will be, the other does not.
  const first = post(slow.body, { 'content-length': '95000' })
  const second = post(slower.body)
  const quick = open([90_000])
  quick.end()
  expect(await (await post(quick.body)).text()).toBe('90000')
  const told = await first
  expect(told.status).toBe(429)
  expect(told.headers.get('retry-after')).toBe('1')
  expect(await told.json()).toMatchObject({ error: 'busy' })
  slower.end()
  expect(await (await second).text()).toBe('90000')
})

it('what was held is free again, however a request ended', async () => {
  const post = openApp(150_000)
  for (let round = 0; round < 5; round += 1) {
    const whole = open([100_000])
    whole.end()
    expect((await post(whole.body)).status).toBe(200)
    expect((await post(open([90_000, 20_000]).body)).status).toBe(413)
  }
})
