import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'

/**
 * A port of this machine for the embedded server: that of last time while it is free, so that open pools find a restarted
 * server; else another, which is written down.
 * @param file where the port of last time stands
 * @param wanted the only one that will do
 * @returns undefined where none is free
 */
export async function takePort(file: string, wanted?: number): Promise<number | undefined> {
  if (wanted !== undefined) return await freePort(wanted)
  let kept = 0
  try {
    kept = Number((JSON.parse(readFileSync(file, 'utf8')) as { port?: number }).port ?? 0)
  } catch {
    // the first start, or a file someone spoiled
  }
  const port = (await freePort(kept)) ?? (await freePort(0))
  if (port !== undefined && port !== kept) {
    writeFileSync(file, `${JSON.stringify({ port })}\n`, { mode: 0o600 })
  }
  return port
}

function freePort(wanted: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(undefined))
    server.listen(wanted, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(address && typeof address === 'object' ? address.port : undefined))
    })
  })
}
