// How a message is named to its provider, so that a receipt finds its touchpoint by primary key: no table of
// providers' ids has to be written while sending.

export interface Referred {
  readonly contactId: number
  readonly touchpointId: number
  /** Whose numbers these are; absent for messages that were named without it. */
  readonly installation?: string
}

const REFERENCE = /^wb-(?:([0-9a-z]{8})-)?([0-9a-z]{1,11})-([0-9a-z]{1,11})$/

/**
 * `wb-<installation>-<contact>-<touchpoint>`, the numbers in base 36: letters, digits and hyphens, at most 35 of them; where the
 * message has no installation, `wb-<contact>-<touchpoint>`.
 */
export function referenceOf(message: Referred): string {
  const { installation } = message
  return installation === undefined ? bareReference(message) : `wb-${installation}-${numbersOf(message)}`
}

/** For what is signed with a key that no other installation has, or is asked for at our own: 26 characters at most. */
export function bareReference(message: Referred): string {
  return `wb-${numbersOf(message)}`
}

function numbersOf({ contactId, touchpointId }: Referred): string {
  return `${contactId.toString(36)}-${touchpointId.toString(36)}`
}

/** The message a reference names; undefined where it is none of ours. */
export function readReference(text: string): Referred | undefined {
  const [, installation, contact, touchpoint] = REFERENCE.exec(text) ?? []
  if (contact === undefined || touchpoint === undefined) return undefined
  const contactId = Number.parseInt(contact, 36)
  const touchpointId = Number.parseInt(touchpoint, 36)
  if (!Number.isSafeInteger(contactId) || !Number.isSafeInteger(touchpointId)) return undefined
  return { contactId, touchpointId, ...(installation === undefined ? {} : { installation }) }
}
