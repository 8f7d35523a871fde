import { BlockList, isIP, SocketAddress } from 'node:net'
import { getConnInfo } from '@hono/node-server/conninfo'
import type { Context, MiddlewareHandler } from 'hono'
import type { Network } from '../config/networks.ts'

// Whoever connects may write any X-Forwarded-For. It is believed from right to left, as far as those who wrote it are
// trusted: the last entry was added by the one who connected, the one before it by the one named there, and so on.

const TRUSTED = 'trustedProxies'

/** Lets {@link addressOf} and {@link isForwardedHttps} believe what these write, and nobody else. */
export function trustProxies(networks: readonly Network[]): MiddlewareHandler {
  const trusted = new BlockList()
  for (const { address, bits, family } of networks) trusted.addSubnet(address, bits, family)
  return async (c, next) => {
    if (networks.length > 0) c.set(TRUSTED, trusted)
    await next()
  }
}

/**
 * Where a request came from: the address that connected, or the one for which trusted proxies passed it on. Of a request
 * without a socket, nothing is known.
 */
export function addressOf(c: Context): string {
  const connected = connectionOf(c)
  if (connected === undefined) return 'unknown'
  let address = connected
  const passedOn = (c.req.header('X-Forwarded-For') ?? '').split(',')
  while (isTrusted(c, address)) {
    const before = addressIn(passedOn.pop() ?? '')
    if (before === undefined) return address
    address = before
  }
  return address
}

/** Whether a trusted proxy says that it was asked over https. */
export function isForwardedHttps(c: Context): boolean {
  const connected = connectionOf(c)
  if (connected === undefined || !isTrusted(c, connected)) return false
  return c.req.header('X-Forwarded-Proto')?.split(',').at(-1)?.trim().toLowerCase() === 'https'
}

function connectionOf(c: Context): string | undefined {
  try {
    const { address } = getConnInfo(c).remote
    return address === undefined ? undefined : (addressIn(address) ?? address)
  } catch {
    return undefined
  }
}

function isTrusted(c: Context, address: string): boolean {
  const trusted: BlockList | undefined = c.get(TRUSTED)
  return trusted?.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4') ?? false
}

/**
 * The address of an entry, without a port, in the one way it is written; undefined where it is none (`unknown`,
 * `_hidden`). ::ffff:192.0.2.1 is the IPv4 address it stands for, or one visitor would have two names.
 */
function addressIn(entry: string): string | undefined {
  const text = entry.trim()
  const [, bracketed, dotted] = /^(?:\[([^\]]+)\]|(\d+(?:\.\d+){3}))(?::\d{1,5})?$/.exec(text) ?? []
  const bare = bracketed ?? dotted ?? text
  if (isIP(bare) === 4) return bare
  if (isIP(bare) !== 6) return undefined
  const { address } = new SocketAddress({ address: bare, family: 'ipv6' })
  const mapped = address.replace(/^::ffff:/, '')
  return isIP(mapped) === 4 ? mapped : address
}
