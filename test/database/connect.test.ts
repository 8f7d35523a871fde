import { readFileSync } from 'node:fs'
import { type AddressInfo, createServer, connect as dial, type Socket } from 'node:net'
import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { assertServer, connect, placeOf, rows, spellTls, transaction } from '../../src/database/connect.ts'
import { isOutage } from '../../src/database/outage.ts'
import { freshDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'

it('outlives a connection that is lost between two statements of a transaction, and says so', async () => {
  const database = await freshDatabase()
  const uncaught: unknown[] = []
  const onUncaught = (error: unknown) => uncaught.push(error)
  process.on('uncaughtException', onUncaught)
  const work = transaction(database, async (tx) => {
    const [own] = await rows<{ pid: number }>(tx, sql`SELECT pg_backend_pid() AS pid`)
    await rows(database, sql`SELECT pg_terminate_backend(${own?.pid ?? 0})`)
    await eventually(
      'the connection is gone',
      () => rows(database, sql`SELECT FROM pg_stat_activity WHERE pid = ${own?.pid ?? 0}`),
      (left) => left.length === 0,
    )
    await rows(tx, sql`SELECT 1`)
  })
  await expect(work).rejects.toSatisfy(isOutage)
  expect(await rows(database, sql`SELECT 1 AS one`)).toEqual([{ one: 1 }])
  process.off('uncaughtException', onUncaught)
  expect(uncaught).toEqual([])
})

it('gives up a server that takes a connection and says nothing, and tries again', async () => {
  const sockets: Socket[] = []
  const silent = createServer((socket) => sockets.push(socket))
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  const { port } = silent.address() as AddressInfo
  const database = connect(`postgres://winback:x@127.0.0.1:${port}/shop`, { max: 1, patience: 200 })
  for (const asked of [1, 2]) {
    await expect(rows(database, sql`SELECT 1`)).rejects.toSatisfy(isOutage)
    expect(sockets).toHaveLength(asked)
  }
  await database.close()
  for (const socket of sockets) socket.destroy()
  await new Promise((resolve) => silent.close(resolve))
})

it('waits for a free connection however long, when all are at work', async () => {
  const { url } = await freshDatabase()
  const database = connect(url, { max: 1, patience: 200 })
  const slow = rows(database, sql`SELECT pg_sleep(0.6)`)
  expect(await rows(database, sql`SELECT 1 AS one`)).toEqual([{ one: 1 }])
  await slow
  await database.close()
})

it.skipIf(process.platform !== 'linux')('asks a silent server whether it is still there', async () => {
  const database = await freshDatabase()
  const [own] = await rows<{ here: number; there: number }>(
    database,
    sql`SELECT inet_client_port() AS here, inet_server_port() AS there`,
  )
  const ended = (port = 0) => `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  // Timer 2 is that of keep-alive: of an idle connection without one it is 0. Other connections may have our port, too.
  const timerOf = () =>
    readFileSync('/proc/net/tcp', 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .find(
        ([, local, remote]) => local?.endsWith(ended(own?.here)) && remote?.endsWith(ended(own?.there)),
      )?.[5]
      ?.split(':')[0]
  await eventually('its timer', timerOf, (timer) => timer === '02')
})

it('has no statement compiled just in time: those that count reports took sixty times as long', async () => {
  expect(await rows(await freshDatabase(), sql`SHOW jit`)).toEqual([{ jit: 'off' }])
})

// node-postgres would say at every start that this is how it takes them.
it.each([
  ['postgres://u:p@db/x?sslmode=require', 'postgres://u:p@db/x?sslmode=verify-full'],
  ['postgres://u:p@db/x?a=b&sslmode=prefer&c=d', 'postgres://u:p@db/x?a=b&sslmode=verify-full&c=d'],
  ['postgres://u:p@db/x?sslmode=no-verify', undefined],
  ['postgres://u:p@db/x?sslmode=disable', undefined],
  ['postgres://u:p@db/x?uselibpqcompat=true&sslmode=require', undefined],
  ['postgres://u:p@db/x', undefined],
])('takes %s as node-postgres does', (url, meant) => {
  expect(spellTls(url)).toBe(meant ?? url)
})

it('takes the options of an address besides its own, which hold', async () => {
  const { url } = await freshDatabase()
  const own = encodeURIComponent('-c search_path=public -c statement_timeout=7s')
  for (const query of [
    `?options=${own}`,
    `?options=${own}&ssl=0`,
    `?ssl=0&options=${own.replaceAll('%20', '+')}`,
  ]) {
    const database = connect(`${url}${query}`, { max: 1 })
    expect((await assertServer(database)).version).toMatch(/^\d+/)
    expect(await rows(database, sql`SHOW statement_timeout`)).toEqual([{ statement_timeout: '7s' }])
    await database.close()
  }
})

it.each([
  ['postgres://winback:p%40ss@db.example:5432/shop', 'db.example:5432', '/shop'],
  ['postgres://winback:secret@/shop?host=/run/sql', '/run/sql', '/shop'],
  ['postgres:///shop?host=/run/sql&user=winback', '/run/sql', '/shop'],
  ['socket://winback:secret@/run/sql?db=shop', '', '/run/sql'],
  ['/run/sql shop', '/run/sql shop', ''],
])('shows where %s leads', (url, server, path) => {
  expect(placeOf(url)).toEqual({ server, path })
})

/** What a pooler makes of a connection's beginning that is told to ignore `options`. */
function withoutOptions(beginning: Buffer): Buffer {
  const words = beginning.subarray(8, -2).toString().split('\0')
  const kept = words.filter((_, at) => words[at - (at % 2)] !== 'options')
  const body = Buffer.from(`${kept.join('\0')}\0\0`)
  const head = Buffer.from(beginning.subarray(0, 8))
  head.writeInt32BE(8 + body.length)
  return Buffer.concat([head, body])
}

it('refuses a pooler that drops the schema a connection is to look into', async () => {
  const database = await freshDatabase()
  const url = new URL(database.url)
  const port = Number(url.port)
  const pooler = createServer((here) => {
    const there = dial(port, url.hostname)
    here.once('data', (beginning) => {
      there.write(withoutOptions(beginning))
      here.pipe(there).pipe(here)
    })
    here.on('error', () => {})
    there.on('error', () => {})
  })
  await new Promise<void>((resolve) => pooler.listen(0, '127.0.0.1', resolve))
  url.port = String((pooler.address() as AddressInfo).port)
  const behind = connect(url.href, { schema: 'shop' })
  await expect(assertServer(behind)).rejects.toMatchObject({
    code: 'database.pooler',
    message: expect.stringContaining('in place of shop and UTC'),
  })
  await behind.close()
  await new Promise((resolve) => pooler.close(resolve))
  expect(await assertServer(database)).toEqual({ version: expect.any(String) })
})
