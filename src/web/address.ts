// Where the web side is found on this machine: where the world finds it, `web.url` says.

/** What `web` of winback.yaml says of where to listen. */
export interface Listening {
  readonly host: string
  readonly port: number
}

/** Every address of the machine can be listened on, and is none to open. */
const EVERY: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' }

/** Where it listens: `http://127.0.0.1:7420`, `http://[::1]:7420`. */
export function addressOf({ host, port }: Listening): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** The same, as somebody at this machine opens it. */
export function ownAddressOf({ host, port }: Listening): string {
  return addressOf({ host: EVERY[host] ?? host, port })
}
