import type { Clock } from '../clock.ts'
import type { Workspace } from '../config/workspace.ts'
import type { Session } from '../database/connect.ts'
import { isGone } from '../database/outage.ts'
import { signingSecrets } from '../database/signing-keys.ts'
import { type Purpose, readToken, type SigningKeys, signingKey, signToken } from '../tokens/token.ts'

/**
 * The keys of signed links as tokens take them. Who reads a link reads them each time, so that a key that is retired opens
 * nothing from that moment; who signs links for days has {@link openLinks} renew them.
 */
export async function readSigningKeys(session: Session): Promise<SigningKeys> {
  const keys = (await signingSecrets(session)).map(({ keyId, secret }) => signingKey(keyId, secret))
  const current = keys.at(-1)
  // signingSecrets has thrown where there is none.
  if (!current) throw new RangeError('no signing key')
  return { current, verifying: new Map(keys.map((key) => [key.id, key])) }
}

/** {@link readSigningKeys}, and while the database is away the keys that were read last. */
export function recallSigningKeys(session: Session): () => Promise<SigningKeys> {
  let last: SigningKeys | undefined
  return async () => {
    try {
      last = await readSigningKeys(session)
    } catch (error) {
      if (!last || !isGone(error)) throw error
    }
    return last
  }
}

/** What a link that was signed for `purpose` says by now; undefined where it is none of ours. */
export async function readLink(
  { database, clock }: { readonly database: Session; readonly clock: Clock },
  purpose: Purpose,
  token: string,
  readKeys = () => readSigningKeys(database),
): Promise<string | undefined> {
  const reading = readToken(await readKeys(), purpose, token, clock.now())
  return reading.outcome === 'read' ? reading.payload : undefined
}

/** The base of signed links: where they lead, and what signs them. */
export interface Links {
  readonly url: string
  readonly keys: SigningKeys
}

/** Links of a process that signs for days. */
export interface RenewedLinks extends Links {
  /** Looks which key signs now: what an older one signs is worth nothing from the moment it is retired. */
  renew(): Promise<void>
}

/** What links of messages are made of, or undefined where the workspace has no public address to lead to. */
export async function openLinks(
  session: Session,
  workspace: Pick<Workspace, 'web'>,
): Promise<RenewedLinks | undefined> {
  const { url } = workspace.web
  if (url === undefined) return undefined
  let keys = await readSigningKeys(session)
  return {
    url,
    get keys() {
      return keys
    },
    renew: async () => {
      keys = await readSigningKeys(session)
    },
  }
}

/** The contact’s own preferences page. */
export function preferencesUrl(links: Links, contactId: number): string {
  return `${links.url}/preferences/${signToken(links.keys, 'preferences', String(contactId))}`
}
