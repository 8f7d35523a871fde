import { isIP } from 'node:net'
import { z } from 'zod'

/** `10.0.0.7`, `10.0.0.0/8`, `fd00::/8`: the addresses that begin with so many bits of this one. */
export interface Network {
  readonly address: string
  readonly bits: number
  readonly family: 'ipv4' | 'ipv6'
}

/** An address or a range of them; never all there are, which would be no statement. */
export const network = z.string().transform((text, context): Network => {
  const [, address = '', length] = /^([^/]+?)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  const family = isIP(address)
  const longest = family === 4 ? 32 : 128
  const bits = length === undefined ? longest : Number(length)
  const refuse = (message: string) => {
    context.addIssue({ code: 'custom', message })
    return z.NEVER
  }
  if (family === 0 || address.includes('%') || bits > longest) {
    return refuse('expected an address or a range such as 10.0.0.7, 10.0.0.0/8 or fd00::/8')
  }
  if (bits === 0) return refuse('expected the addresses of your proxies, not everybody')
  return { address, bits, family: family === 4 ? 'ipv4' : 'ipv6' }
})
