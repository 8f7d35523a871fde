// Who opened a message: a person, or a machine that fetches pictures for them. Apple's Mail Privacy Protection loads
// every picture when a mail comes in, from a proxy that calls itself no more than Mozilla/5.0; many scanners and link
// previews say what they are, and those that call themselves a browser come at once.

// Most have what they are at the end of a name of their own: bingbot, Baiduspider, SkypeUriPreview. A Cubot is a telephone.
const MACHINES =
  /^Mozilla\/5\.0$|(?<!\bcu)bot(?![a-z])|crawler|spider|scanner|externalhit|headless|safelinks|preview\b|\b(monitor|curl|wget|python|java|go-http-client|node|axios|okhttp|barracuda|mimecast|proofpoint|symantec|yahoomailproxy)\b/i

/** Seconds after the handover within which nobody has read a mail yet. */
const TOO_SOON = 5

/** @param sinceSent seconds between handover and request, where they are known */
export function isMachine(userAgent: string | undefined, sinceSent: number | undefined): boolean {
  if (userAgent === undefined || userAgent.trim() === '') return true
  return MACHINES.test(userAgent.trim()) || (sinceSent !== undefined && sinceSent < TOO_SOON)
}
