import { createPrivateKey } from 'node:crypto'
import { z } from 'zod'
import { hostOf, LOOPBACK, refusalOf } from './private-hosts.ts'

// Settings that every provider has of a kind: where its API is, and the key it is called with. What cannot be used is
// told where it is written, not once a message is to go out.

/** A setting that is the address of an API. */
export const apiUrl = z.url({
  protocol: /^https?$/,
  error: 'expected an address such as https://api.example.com',
})

/**
 * A setting that is the address of a known provider's API. Called by http it would be given its secrets, and what they open,
 * in clear: only a stand-in on this machine is.
 */
export const providerUrl = apiUrl.refine(
  (text) => !URL.canParse(text) || isSealed(new URL(text)),
  'must be https: the keys of the account and the messages would go out in clear',
)

function isSealed(url: URL): boolean {
  return url.protocol === 'https:' || LOOPBACK.includes(hostOf(url))
}

/** A setting that is a private key. */
export const privateKey = z
  .string()
  .refine(
    (text) => isReadable(() => createPrivateKey(text)),
    'expected a private key in PEM, -----BEGIN PRIVATE KEY----- and all',
  )

/** Refuses a `url` that may not be called: by http, or in a private network, and not in `allow_private`. */
export function refuseHost(
  { url, allow_private }: { readonly url: string; readonly allow_private: readonly string[] },
  context: z.core.$RefinementCtx,
): void {
  const refusal = URL.canParse(url) ? refusalOf(url, allow_private) : undefined
  if (refusal !== undefined) context.addIssue({ code: 'custom', path: ['url'], message: refusal })
}

/** Whether a key can be read. @param read throws where it cannot */
export function isReadable(read: () => unknown): boolean {
  try {
    read()
    return true
  } catch {
    return false
  }
}
