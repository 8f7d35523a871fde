import { type ChildProcess, spawn } from 'node:child_process'
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { inject } from 'vitest'
import { freePort } from './ports.ts'

export interface RedisServer {
  readonly url: string
  readonly port: number
  readonly process: ChildProcess
  /** Ends it and removes its directory. */
  stop(): Promise<void>
}

/**
 * The URL of the run's own Redis, or undefined where redis-server is not installed (said once, loudly, when the
 * run starts; in CI the run fails instead): `describe.skipIf(redisUrl() === undefined)(…)`.
 */
export function redisUrl(): string | undefined {
  return inject('redisUrl') ?? undefined
}

/** Whether a redis-server can be started here. */
export function hasRedis(): boolean {
  return binary() !== undefined
}

/** A redis-server of the caller's own, for tests that flush, stop or kill it. Nothing is kept on disk. */
export async function startRedis(
  options: { port?: number; arguments?: readonly string[]; config?: string } = {},
): Promise<RedisServer> {
  const path = binary()
  if (path === undefined) throw new Error('redis-server is not installed: apt-get install redis-server')
  const port = options.port ?? (await freePort())
  const directory = mkdtempSync(join(tmpdir(), 'winback-redis-'))
  const settings = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', directory]
  const volatile = options.config === undefined ? ['--save', '', '--appendonly', 'no'] : []
  if (options.config !== undefined) writeFileSync(join(directory, 'redis.conf'), options.config)
  const file = options.config === undefined ? [] : [join(directory, 'redis.conf')]
  const server = spawn(path, [...file, ...settings, ...volatile, ...(options.arguments ?? [])], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()))
  await new Promise<void>((resolve, reject) => {
    let said = ''
    server.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      if (/Ready to accept connections|Sentinel ID is/.test(said)) resolve()
    })
    server.once('error', reject)
    server.once('exit', (code) => reject(new Error(`redis-server ended with ${code}: ${said}`)))
  })
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    process: server,
    stop: async () => {
      server.kill('SIGTERM')
      await ended
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

function binary(): string | undefined {
  for (const directory of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(directory, 'redis-server')
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {
      // the next directory may have it
    }
  }
  return undefined
}
