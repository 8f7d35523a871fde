import { type LookupAddress, lookup } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'

// A URL that somebody wrote into a setting must not reach what only this machine can reach: its own ports, the
// private network, the cloud's metadata. Names are looked at after they are resolved, and the address that was looked
// at is the one connected to, so a name that resolves otherwise the next time gains nothing.

/** Hosts that are this machine and cannot be reached from another. */
export const LOOPBACK: readonly string[] = ['127.0.0.1', 'localhost', '::1']

/** The host of a URL; of an IPv6 address, without its brackets. */
export function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, '')
}

const BLOCKED: readonly (readonly [string, number, 'ipv4' | 'ipv6'])[] = [
  ['0.0.0.0', 8, 'ipv4'],
  ['10.0.0.0', 8, 'ipv4'],
  ['100.64.0.0', 10, 'ipv4'], // shared address space; 100.100.100.200 is Aliyun's metadata
  ['127.0.0.0', 8, 'ipv4'],
  ['168.63.129.16', 32, 'ipv4'], // Azure's own service for its machines, on an address that looks public
  ['169.254.0.0', 16, 'ipv4'], // link-local; 169.254.169.254 is most clouds' metadata
  ['172.16.0.0', 12, 'ipv4'],
  ['192.0.0.0', 24, 'ipv4'],
  ['192.0.2.0', 24, 'ipv4'],
  ['192.88.99.0', 24, 'ipv4'], // relays of 6to4
  ['192.168.0.0', 16, 'ipv4'],
  ['198.18.0.0', 15, 'ipv4'],
  ['198.51.100.0', 24, 'ipv4'],
  ['203.0.113.0', 24, 'ipv4'],
  ['224.0.0.0', 4, 'ipv4'],
  ['240.0.0.0', 4, 'ipv4'],
  ['::', 96, 'ipv6'], // unspecified, loopback, and IPv4 in its old clothes
  ['::ffff:0:0:0', 96, 'ipv6'], // IPv4 through a translator (SIIT)
  ['64:ff9b::', 96, 'ipv6'], // IPv4 through NAT64
  ['64:ff9b:1::', 48, 'ipv6'],
  ['100::', 64, 'ipv6'],
  ['2001::', 32, 'ipv6'], // Teredo
  ['2001:db8::', 32, 'ipv6'],
  ['2002::', 16, 'ipv6'], // 6to4
  ['3fff::', 20, 'ipv6'],
  ['5f00::', 16, 'ipv6'], // SRv6
  ['fc00::', 7, 'ipv6'], // unique local; fd00:ec2::254 is a metadata address
  ['fe80::', 10, 'ipv6'],
  ['fec0::', 10, 'ipv6'],
  ['ff00::', 8, 'ipv6'],
]
const blocked = new BlockList()
for (const [address, bits, family] of BLOCKED) blocked.addSubnet(address, bits, family)

/** Whether an IP address is one that only this machine or its network can reach; what is no address counts as such. */
export function isPrivateAddress(address: string): boolean {
  const family = isIP(address)
  if (family === 0) return true
  // The list knows ::ffff:a.b.c.d for the IPv4 address it is.
  return blocked.check(address, family === 6 ? 'ipv6' : 'ipv4')
}

/** Why a URL may not be called, as far as it can be said without resolving its name; undefined where it may. */
export function refusalOf(url: string, allowed: readonly string[]): string | undefined {
  const target = new URL(url)
  const { protocol, username, password } = target
  const host = hostOf(target)
  if (username !== '' || password !== '') return 'a URL must not carry a password'
  if (allowed.includes(host)) return undefined
  if (protocol !== 'https:') return `${host} must be called by https, or be named in allow_private`
  if (isIP(host) !== 0 && isPrivateAddress(host)) return `${host} is in a private network`
  return undefined
}

export type Resolve = (host: string, done: (error: Error | null, addresses: LookupAddress[]) => void) => void

const resolveAll: Resolve = (host, done) => lookup(host, { all: true }, done)

/** A look-up for connections that fails for a name any of whose addresses is private, unless the name is allowed. */
export function guardedLookup(allowed: readonly string[], resolve: Resolve = resolveAll): LookupFunction {
  return (host, options, callback) => {
    resolve(host, (error, addresses) => {
      const [first] = addresses ?? []
      const hidden = allowed.includes(host)
        ? undefined
        : addresses?.find(({ address }) => isPrivateAddress(address))
      if (error || first === undefined) {
        callback(error ?? new Error(`${host} has no address`), '', 0)
      } else if (hidden) {
        callback(new Error(`${host} is in a private network (${hidden.address})`), '', 0)
      } else if (options.all) callback(null, addresses)
      else callback(null, first.address, first.family)
    })
  }
}
