// How a message is named to its provider, so that a receipt finds its touchpoint by primary key: no table of
// providers' ids has to be written while sending.

export interface Referred {
  readonly contactId: number
  readonly touchpointId: number
}

const REFERENCE = /^wb-([0-9a-z]{1,11})-([0-9a-z]{1,11})$/

/** `wb-<contact>-<touchpoint>`, both in base 36: letters, digits and hyphens, at most 26 of them. */
export function referenceOf({ contactId, touchpointId }: Referred): string {
  return `wb-${contactId.toString(36)}-${touchpointId.toString(36)}`
}

/** The message a reference names; undefined where it is none of ours. */
export function readReference(text: string): Referred | undefined {
  const [, contact, touchpoint] = REFERENCE.exec(text) ?? []
  if (contact === undefined || touchpoint === undefined) return undefined
  const contactId = Number.parseInt(contact, 36)
  const touchpointId = Number.parseInt(touchpoint, 36)
  return Number.isSafeInteger(contactId) && Number.isSafeInteger(touchpointId)
    ? { contactId, touchpointId }
    : undefined
}
