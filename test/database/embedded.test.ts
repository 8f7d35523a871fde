import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  watch,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Embedded, openEmbedded } from '../../src/database/embedded.ts'
import { openBinaries, openHome, packagedBinaries } from '../../src/database/embedded-home.ts'
import { isLiving, startOf, takeLock } from '../../src/database/lock-file.ts'
import { eventually } from '../support/eventually.ts'

let directory: string
const open: Embedded[] = []
/** Where a database has been made: to make one takes most of what a test does, so that those of other things copy it. */
let made: string
const copyMade = () => {
  if (existsSync(join(directory, 'data'))) return
  for (const name of ['data', 'password']) execFileSync('cp', ['-a', join(made, name), directory])
}
const start = async (options: { onTrouble?: (error: unknown) => void } = {}) => {
  copyMade()
  return await startAsItIs(options)
}
/** Makes the database where there is none. */
const startAsItIs = async (options: { onTrouble?: (error: unknown) => void } = {}) => {
  const server = await openEmbedded({ directory, durable: false, ...options })
  open.push(server)
  return server
}
const query = async (server: Embedded, statement: string) => {
  const client = new pg.Client({ connectionString: server.url })
  await client.connect()
  try {
    return (await client.query(statement)).rows
  } finally {
    await client.end()
  }
}
const gone = (pid: number) =>
  vi.waitFor(() => expect(isRunning(pid)).toBe(false), { timeout: 20_000, interval: 10 })
/** One that has ended may be reaped, and all that told of it gone, between any two looks. */
const isRunning = (pid: number) => isLiving({ pid, started: startOf(pid) })
/** Resolves when somebody asks for the lock: whoever does first writes a file beside it. */
const nextAsks = () =>
  new Promise<void>((resolve) => {
    const watcher = watch(directory, (_, name) => {
      if (!name?.startsWith('lock.')) return
      watcher.close()
      resolve()
    })
  })

const makeDirectory = () => {
  const path = mkdtempSync(join(tmpdir(), 'winback-embedded-'))
  chmodSync(path, 0o755)
  return path
}

beforeAll(async () => {
  made = makeDirectory()
  const server = await openEmbedded({ directory: made, durable: false })
  await server.stop()
})
afterAll(() => rmSync(made, { recursive: true, force: true }))
beforeEach(() => {
  directory = makeDirectory()
})
afterEach(async () => {
  for (const server of open.splice(0)) await server.stop()
  rmSync(directory, { recursive: true, force: true })
})

describe('openEmbedded', () => {
  it('makes a server, shares it, and the last to leave stops it', async () => {
    const [first, second] = await Promise.all([startAsItIs(), startAsItIs()])
    expect(second.url).toBe(first.url)
    expect(second.pid).toBe(first.pid)
    const setting = `SELECT current_setting('server_encoding') AS encoding, datlocale AS locale,
      current_setting('TimeZone') AS zone FROM pg_database WHERE datname = current_database()`
    expect(await query(first, setting)).toEqual([{ encoding: 'UTF8', locale: 'C.UTF-8', zone: 'UTC' }])
    for (const secret of ['password', 'server.json', 'server.log']) {
      expect(statSync(join(directory, secret)).mode & 0o777).toBe(0o600)
    }
    await first.stop()
    expect(await query(second, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
    await second.stop()
    expect(isRunning(first.pid)).toBe(false)
  })

  it('asks for its password', async () => {
    const server = await start()
    const url = new URL(server.url)
    url.password = 'guess'
    const client = new pg.Client({ connectionString: url.href })
    await expect(client.connect()).rejects.toMatchObject({ code: '28P01' })
  })

  it('keeps its data and its port from one time to the next', async () => {
    const first = await start()
    await query(first, 'CREATE TABLE kept (id int)')
    await first.stop()
    const second = await start()
    expect(second.url).toBe(first.url)
    expect(await query(second, 'SELECT * FROM kept')).toEqual([])
  })

  it('leaves the server to a client that still works on it', async () => {
    const server = await start()
    const client = new pg.Client({ connectionString: server.url })
    await client.connect()
    await server.stop()
    expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }])
    await client.end()
    const again = await start()
    expect(again.pid).toBe(server.pid)
  })

  it('is started again after the postmaster is killed, by whoever holds it', async () => {
    const server = await start()
    await query(server, 'CREATE TABLE kept (id int)')
    process.kill(server.pid, 'SIGKILL')
    await gone(server.pid)
    const again = await start()
    expect(again.pid).not.toBe(server.pid)
    expect(again.url).toBe(server.url)
    expect(await query(again, 'SELECT * FROM kept')).toEqual([])
  })

  it.each([
    {
      what: 'its port is taken',
      spoil: async (port: number) => {
        const squatter = createServer()
        await new Promise<void>((resolve) => squatter.listen(port, '127.0.0.1', resolve))
        return () => new Promise<unknown>((resolve) => squatter.close(resolve))
      },
    },
    {
      what: 'its data cannot be read',
      spoil: async () => {
        const file = join(directory, 'data', 'global', 'pg_control')
        renameSync(file, `${file}.away`)
        return async () => renameSync(`${file}.away`, file)
      },
    },
  ])('is started again on its port though it cannot be for a while: $what', async ({ what, spoil }) => {
    const troubles: unknown[] = []
    const server = await start({ onTrouble: (error) => troubles.push(error) })
    const release = await takeLock(join(directory, 'lock'), 0)
    process.kill(server.pid, 'SIGKILL')
    await gone(server.pid)
    const mend = await spoil(Number(new URL(server.url).port))
    release()
    await eventually(
      `it says so: ${what}`,
      () => troubles.length,
      (count) => count > 0,
    )
    expect(troubles[0]).toMatchObject({ code: 'database.embedded' })
    await mend()
    await eventually(
      'it answers again, where it did',
      () => query(server, 'SELECT 1 AS one').catch((error: Error) => error.message),
      (answer) => typeof answer !== 'string',
    )
  })

  it('is let go while it is being started again', async () => {
    const server = await start()
    const release = await takeLock(join(directory, 'lock'), 0)
    const asked = nextAsks()
    process.kill(server.pid, 'SIGKILL')
    await asked
    const stopping = server.stop()
    release()
    await stopping
    const again = await start()
    await again.stop()
    expect(isRunning(again.pid)).toBe(false)
  })

  it('says that its folder is no longer there when it is let go, and is ended by who comes next', async () => {
    const server = await start()
    const renamed = `${directory}-renamed`
    renameSync(directory, renamed)
    try {
      await expect(server.stop()).rejects.toMatchObject({
        code: 'database.embedded',
        message: expect.stringContaining(`cannot write to ${directory}`),
        remedy: expect.stringContaining('renamed'),
      })
    } finally {
      renameSync(renamed, directory)
    }
    const next = await start()
    expect(next.pid).toBe(server.pid)
    await next.stop()
    expect(isRunning(server.pid)).toBe(false)
  })

  it('waits for a shutdown that is under way, then starts', async () => {
    const server = await start()
    await query(server, 'CREATE TABLE kept (id int)')
    process.kill(server.pid, 'SIGINT')
    const again = await start()
    expect(again.pid).not.toBe(server.pid)
    expect(await query(again, 'SELECT * FROM kept')).toEqual([])
  })

  it('takes over what dead processes left: a lock, a half-made database, a pid now used by another', async () => {
    const dead = 4_190_000
    mkdirSync(join(directory, `making-${dead}`, 'data'), { recursive: true })
    writeFileSync(join(directory, 'lock'), JSON.stringify({ pid: dead, started: '1', id: 'dead' }))
    const server = await startAsItIs()
    await server.stop()
    expect(readdirSync(directory).filter((name) => name.startsWith('making-'))).toEqual([])
    const reused = `${process.pid}\n${join(directory, 'data')}\n0\n1\n\n127.0.0.1\n\nready\n`
    writeFileSync(join(directory, 'data', 'postmaster.pid'), reused)
    // The same pid, but of a process that started at another time.
    writeFileSync(join(directory, 'lock'), JSON.stringify({ pid: process.pid, started: '1', id: 'before' }))
    const again = await start()
    expect(await query(again, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
  })

  it('makes its data anew while what another was killed over is still written', async () => {
    const half = join(directory, 'making-4190000', 'data')
    // Long enough to be removed that something is written meanwhile.
    const base = join(half, 'base')
    mkdirSync(base, { recursive: true })
    for (let number = 0; number < 3000; number += 1) writeFileSync(join(base, String(number)), '')
    const orphan = spawn(
      process.execPath,
      [
        '--input-type=module',
        '-e',
        `import { existsSync, writeFileSync } from 'node:fs'
         for (let number = 0; existsSync(${JSON.stringify(base)}); number += 1) {
           writeFileSync(${JSON.stringify(half)} + '/' + number, '')
           if (number === 0) console.log('writing')
         }`,
      ],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    )
    const ended = once(orphan, 'exit')
    await once(orphan.stdout, 'data')
    const server = await startAsItIs()
    await ended
    expect(await query(server, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
    expect(readdirSync(directory).filter((name) => name.startsWith('making-'))).toEqual([])
  })

  it('has a password where a full disk left none of it', async () => {
    writeFileSync(join(directory, 'password'), '')
    const server = await startAsItIs()
    expect(new URL(server.url).password).toHaveLength(48)
    expect(await query(server, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
  })

  it('makes no other password for a database whose own is gone', async () => {
    copyMade()
    rmSync(join(directory, 'password'))
    await expect(startAsItIs()).rejects.toMatchObject({
      code: 'database.embedded',
      message: expect.stringContaining('password is gone'),
    })
    expect(existsSync(join(directory, 'password'))).toBe(false)
  })

  it('is the same server through a link to its folder', async () => {
    const server = await start()
    const link = `${directory}-link`
    symlinkSync(directory, link)
    try {
      const linked = await openEmbedded({ directory: link, durable: false })
      open.push(linked)
      expect([linked.pid, linked.url]).toEqual([server.pid, server.url])
      await linked.stop()
      expect(await query(server, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
    } finally {
      rmSync(link)
    }
  })

  it('moves to another port when its own was taken', async () => {
    const server = await start()
    await server.stop()
    const squatter = createServer()
    await new Promise<void>((resolve) =>
      squatter.listen(Number(new URL(server.url).port), '127.0.0.1', resolve),
    )
    const again = await start()
    expect(again.url).not.toBe(server.url)
    await new Promise((resolve) => squatter.close(resolve))
  })

  it('says what the log says when it cannot start, and what to do', async () => {
    const server = await start()
    await server.stop()
    rmSync(join(directory, 'data', 'global', 'pg_control'))
    await expect(start()).rejects.toMatchObject({
      code: 'database.embedded',
      message: expect.stringContaining('pg_control'),
      remedy: expect.stringContaining('DATABASE_URL'),
    })
  })

  it('says so at once where its data is damaged, and it ends before it lets anybody in', async () => {
    const server = await start()
    await server.stop()
    const log = join(directory, 'data', 'pg_wal')
    for (const name of readdirSync(log)) rmSync(join(log, name), { recursive: true })
    await expect(start()).rejects.toMatchObject({
      code: 'database.embedded',
      message: expect.stringContaining('could not locate a valid checkpoint record'),
    })
    // Not over and over.
    expect(readFileSync(join(directory, 'server.log'), 'utf8').match(/PANIC/g)).toHaveLength(1)
  })
})

const built = join(import.meta.dirname, '../../dist/database/embedded.js')

// Nobody may write there, root neither.
it.runIf(process.platform === 'linux')('says where it cannot write, and what to do', async () => {
  await expect(openEmbedded({ directory: '/sys' })).rejects.toMatchObject({
    code: 'database.embedded',
    message: expect.stringMatching(/cannot write to \/sys: (EACCES|EROFS|EPERM)/),
    remedy: expect.stringContaining('set DATABASE_URL'),
  })
})

describe.runIf(existsSync(built))('in a process of its own (built)', () => {
  const run = (code: string) => {
    copyMade()
    const child = spawn(
      process.execPath,
      [
        '--input-type=module',
        '-e',
        `const { openEmbedded } = await import(${JSON.stringify(built)})
         const server = await openEmbedded({ directory: ${JSON.stringify(directory)}, durable: false })
         console.log(server.pid)
         ${code}`,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    const ended = once(child, 'exit')
    const opened = once(child.stdout, 'data').then(([chunk]) => Number(String(chunk)))
    return { child, ended, opened }
  }

  it('has stopped the server when the process ends', async () => {
    const { ended, opened } = run('await server.stop()')
    const pid = await opened
    expect((await ended)[0]).toBe(0)
    expect(isRunning(pid)).toBe(false)
  })

  it('survives the kill of who started it, and the next to leave stops it', async () => {
    const { child, ended, opened } = run('setInterval(() => {}, 1000)')
    const pid = await opened
    const server = await start()
    expect(server.pid).toBe(pid)
    child.kill('SIGKILL')
    await ended
    expect(await query(server, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
    await eventually(
      'one keeper is left',
      () => query(server, `SELECT FROM pg_stat_activity WHERE application_name = 'winback keeper'`),
      (keepers) => keepers.length === 1,
    )
    await server.stop()
    await gone(pid)
  })
})

describe.runIf(process.getuid?.() === 0)('as root', () => {
  it('runs under an account without rights, which cannot read the password', async () => {
    const server = await startAsItIs()
    const status = readFileSync(`/proc/${server.pid}/status`, 'utf8')
    expect(/^Uid:\s+(\d+)/m.exec(status)?.[1]).toBe('65534')
    expect(statSync(join(directory, 'password')).uid).toBe(0)
    expect(statSync(join(directory, 'data')).uid).toBe(65534)
  })

  it('keeps the data of a project out of that account’s reach elsewhere, with a copy of the binaries', () => {
    const project = join(directory, 'private', 'project')
    mkdirSync(project, { recursive: true })
    chmodSync(join(directory, 'private'), 0o700)
    const shared = join(directory, 'shared')
    const home = openHome(join(project, '.winback'), shared)
    expect(home.directory.startsWith(`${shared}/`)).toBe(true)
    expect(openHome(join(project, '.winback'), shared)).toEqual(home)

    const { native, version } = packagedBinaries()
    expect(openBinaries(home)).toBe(native)
    const hidden = join(directory, 'private', 'native')
    cpSync(native, hidden, { recursive: true, verbatimSymlinks: true })
    const copy = openBinaries(home, { native: hidden, version })
    expect(copy).toBe(join(home.directory, `postgresql-${version}`))
  })

  it('finds the database that is elsewhere once its project is in reach, and begins none where it was renamed', () => {
    const [closed, shared] = [join(directory, 'private'), join(directory, 'shared')]
    mkdirSync(join(closed, 'shop'), { recursive: true })
    chmodSync(closed, 0o700)
    const home = openHome(join(closed, 'shop', 'postgres'), shared)
    mkdirSync(join(home.directory, 'data'))
    chmodSync(closed, 0o755)
    expect(openHome(join(closed, 'shop', 'postgres'), shared)).toEqual(home)

    const renamed = join(closed, 'renamed', 'postgres')
    renameSync(join(closed, 'shop'), join(closed, 'renamed'))
    const moving = /mv (\S+) (\S+)\. .* rm (\S+)$/
    let remedy = ''
    expect(() => openHome(renamed, shared)).toThrow(
      expect.objectContaining({
        code: 'database.embedded',
        remedy: expect.toSatisfy((said: string) => {
          remedy = said
          return moving.test(said)
        }),
      }),
    )
    const [, from = '', to = '', sign = ''] = moving.exec(remedy) ?? []
    renameSync(from, to)
    expect(openHome(renamed, shared).directory).toBe(to)

    const copy = join(closed, 'copy', 'postgres')
    cpSync(renamed, copy, { recursive: true })
    expect(() => openHome(copy, shared)).toThrow('under another name')
    rmSync(sign.replace('renamed', 'copy'))
    expect(openHome(copy, shared).directory).toBe(copy)
  })

  it('begins no other database where it cannot use the one that is there', () => {
    const [above, shared] = [join(directory, 'above'), join(directory, 'shared')]
    const data = join(above, 'postgres', 'data')
    const open = () => openHome(join(above, 'postgres'), shared)
    mkdirSync(data, { recursive: true })
    for (const path of [above, join(above, 'postgres')]) chmodSync(path, 0o711)
    expect(open).toThrow(expect.objectContaining({ remedy: expect.stringContaining(`chown -R 65534:65534`) }))
    chownSync(data, 4242, 4242)
    expect(open).toThrow(expect.objectContaining({ remedy: expect.stringContaining(`sudo -u '#4242'`) }))
    chownSync(data, 65534, 65534)
    expect(open().directory).toBe(join(above, 'postgres'))
    chmodSync(above, 0o700)
    expect(open).toThrow(expect.objectContaining({ remedy: expect.stringContaining('chmod o+x') }))
    expect(existsSync(shared)).toBe(false)
  })
})

describe('openBinaries', () => {
  it('makes the library links that an install without scripts left out', () => {
    const { native, version } = packagedBinaries()
    const bare = join(directory, 'bare')
    cpSync(native, bare, { recursive: true, verbatimSymlinks: true })
    const links = JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8')) as { target: string }[]
    for (const link of links) rmSync(join(directory, 'bare', link.target.replace('native/', '')))
    const home = openHome(join(directory, 'home'))
    const copy = openBinaries(home, { native: bare, version })
    expect(copy).toBe(join(home.directory, `postgresql-${version}`))
    for (const link of links) expect(existsSync(join(copy, link.target.replace('native/', '')))).toBe(true)
  })

  it('says so where the binaries cannot run at all', () => {
    const home = openHome(join(directory, 'home'))
    const native = join(directory, 'foreign')
    mkdirSync(join(native, 'bin'), { recursive: true })
    writeFileSync(join(native, 'bin', 'postgres'), '#!/no/such/loader\n', { mode: 0o755 })
    expect(() => openBinaries(home, { native, version: '0' })).toThrow(
      expect.objectContaining({ code: 'database.embedded' }),
    )
  })
})
