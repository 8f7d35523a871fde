import { type AddressInfo, createServer, type Socket } from 'node:net'
import { expect, it } from 'vitest'
import { openOutput } from '../../src/cli/output.ts'
import { runProgram } from '../../src/cli/program.ts'
import { environmentFrom } from '../../src/config/environment.ts'
import { scratchDirectory } from '../support/scratch.ts'
import { run, verbs } from './command.ts'

it('names the database that takes the connection and says nothing, to whoever sits at a terminal', async () => {
  const cwd = scratchDirectory()
  await run(['init', '.'], { cwd })
  const sockets: Socket[] = []
  const silent = createServer((socket) => sockets.push(socket))
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  const { port } = silent.address() as AddressInfo
  let told = ''
  const code = await runProgram(verbs, ['report', '--cwd', cwd], {
    environment: environmentFrom({ DATABASE_URL: `postgres://winback:secret@127.0.0.1:${port}/shop` }),
    stdout: { write: () => {}, isTTY: true },
    stderr: {
      isTTY: true,
      write: (text) => {
        told += text
        // Once it is told, the server need not be waited for any longer.
        for (const socket of sockets) socket.destroy()
      },
    },
    interrupt: new AbortController().signal,
  })
  expect(told.slice(0, told.indexOf('…') + 1)).toContain(
    `Waiting for the database at 127.0.0.1:${port}, which has not answered yet …`,
  )
  expect(told).not.toContain('secret')
  expect(told).toContain('the database does not answer')
  expect(code).not.toBe(0)
  await new Promise((resolve) => silent.close(resolve))
})

it('tells what is waited for at a terminal alone, and not with --json', () => {
  const told = (json: boolean, isTTY: boolean) => {
    let said = ''
    const stderr = {
      isTTY,
      write: (text: string) => {
        said += text
      },
    }
    openOutput({ json, noColor: true, stdout: stderr, stderr }).hint('Waiting …')
    return said
  }
  expect([told(false, true), told(false, false), told(true, true)]).toEqual(['Waiting …\n', '', ''])
})

it('says of a socket that nobody is behind what it says of a host', async () => {
  const cwd = scratchDirectory()
  await run(['init', '.'], { cwd })
  const { code, stderr } = await run(['report'], {
    cwd,
    env: { DATABASE_URL: `postgres://winback:secret@/shop?host=${cwd}` },
  })
  expect({ code, stderr }).toEqual({
    code: 3,
    stderr: expect.stringContaining(`the database does not answer: connect ENOENT ${cwd}/.s.PGSQL.5432`),
  })
})
