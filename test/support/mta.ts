import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './ports.ts'

// A mail server that others wrote, OpenSMTPD of Debian: it takes what it is given, hands it on to servers of the
// test's own, and writes its own bounces.

export interface Mta {
  readonly port: number
  stop(): Promise<void>
}

/** Whether one can be started here: it is installed, and it may change to accounts of its own. */
export function hasMta(): boolean {
  return process.getuid?.() === 0 && spawnSync('smtpd', ['-h']).error === undefined
}

/** @param routes where mail to each domain goes on to: a port of this machine */
export async function startMta(routes: Readonly<Record<string, number>>): Promise<Mta> {
  const directory = mkdtempSync(join(tmpdir(), 'winback-mta-'))
  chmodSync(directory, 0o755)
  const file = join(directory, 'smtpd.conf')
  const port = await freePort()
  const lines = [
    `listen on 127.0.0.1 port ${port} hostname mx.test`,
    ...Object.values(routes).map((to) => `action "to${to}" relay host smtp://127.0.0.1:${to} helo mx.test`),
    ...Object.entries(routes).map(([domain, to]) => `match from any for domain "${domain}" action "to${to}"`),
  ]
  writeFileSync(file, `${lines.join('\n')}\n`)
  const server = spawn('smtpd', ['-d', '-f', file], { stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  let said = ''
  for (const stream of [server.stdout, server.stderr]) stream.on('data', (data) => (said += String(data)))
  await answering(port, server, () => said)
  return {
    port,
    stop: async () => {
      const ended = new Promise((resolve) => server.once('exit', resolve))
      server.kill('SIGTERM')
      await ended
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

async function answering(port: number, server: ChildProcess, said: () => string): Promise<void> {
  for (;;) {
    if (server.exitCode !== null) throw new Error(`the mail server ended: ${said()}`)
    const answers = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1')
      socket.once('data', () => {
        socket.destroy()
        resolve(true)
      })
      socket.once('error', () => resolve(false))
    })
    if (answers) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
