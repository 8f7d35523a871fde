import { hostname, userInfo } from 'node:os'

/** Who is at the keyboard, for the records: `ada@shop-1`. */
export function operator(): string {
  try {
    return `${userInfo().username}@${hostname()}`
  } catch {
    // A container may run under a user id that no account belongs to.
    return `uid ${process.getuid?.() ?? '?'}@${hostname()}`
  }
}
