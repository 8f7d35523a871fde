/** A place in a file a person can open: 1-based line and column. */
export interface Location {
  file: string
  line?: number
  column?: number
}

/**
 * An error meant for a person: what happened, where, and what to do next.
 * Expected outcomes (a refused mail, a skipped touchpoint) are values, never errors.
 */
export class WinbackError extends Error {
  override readonly name = 'WinbackError'
  /** Stable, machine-readable: `config.invalid`, `database.unreachable`, … */
  readonly code: string
  readonly location: Location | undefined
  /** The next action, in the imperative: "Run `winback apply`." */
  readonly remedy: string | undefined
  readonly facts: Record<string, unknown>

  constructor(
    code: string,
    message: string,
    options: { location?: Location; remedy?: string; facts?: Record<string, unknown>; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? {} : { cause: options.cause })
    this.code = code
    this.location = options.location
    this.remedy = options.remedy
    this.facts = options.facts ?? {}
  }
}

/** One finding about a configuration file. All findings of a run are reported together. */
export interface Problem {
  severity: 'error' | 'warning'
  location: Location
  /** Dotted path inside the file, `tiers[1].steps[0].template`. */
  path: string
  message: string
  found?: string | undefined
  expected?: string | undefined
  /** The nearest valid name, when one is near. */
  suggestion?: string | undefined
}

/** Thrown once with every problem of a configuration, so that a file is mended in one go. */
export class ConfigError extends WinbackError {
  readonly problems: readonly Problem[]
  constructor(problems: readonly Problem[]) {
    super(
      'config.invalid',
      `${problems.length} problem${problems.length === 1 ? '' : 's'} in the configuration`,
    )
    this.problems = problems
  }
}

/** The code of what Node, PostgreSQL or Winback threw, such as `ENOENT` or `23505`; empty where it has none. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}

/** Why a file could not be read, in words where the system has only a code for what is met every day. */
export function whyUnreadable(cause: unknown): string {
  const code = codeOf(cause)
  if (code === 'ENOENT') return 'there is no such file'
  if (code === 'EISDIR') return 'it is a folder'
  if (code === 'EACCES') return 'this account may not read it'
  return messageOf(cause)
}

const UNWRITABLE: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such folder',
  ENOTDIR: 'a file is in the way of a folder',
  EEXIST: 'a file is in the way of a folder',
  EISDIR: 'it is a folder',
  EACCES: 'this account may not write there',
  EPERM: 'this account may not write there',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk is full',
}

/** Why a file or a folder could not be written, likewise. */
export function whyUnwritable(cause: unknown): string {
  return UNWRITABLE[codeOf(cause).replace(/^ERR_FS_/, '')] ?? messageOf(cause)
}

/** What OpenSSL calls an error: a number, its own file and line around the few words that say something. */
const OPENSSL = /^(?:write EPROTO )?[\da-f]+:error:[\da-f]+:SSL routines:[^:]*:([^:]+):/i

/** The message of anything thrown, for logs and records. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const tls = OPENSSL.exec(error.message)?.[1]
  if (tls !== undefined) return `TLS: ${tls}`
  // `fetch` says in its cause alone why it failed; where several addresses were tried, that has a code and no message.
  const { message, cause } = error
  if (message !== 'fetch failed' || !(cause instanceof Error)) return message
  return `${message}: ${cause.message || codeOf(cause)}`
}

/** What is to be done where a connection does not come about, in two languages. */
export interface ConnectionRemedy {
  readonly en: string
  readonly zh: string
}

const CONNECTION_REMEDIES: readonly (readonly [RegExp, ConnectionRemedy])[] = [
  [
    /self-signed certificate|unable to (get|verify)/i,
    {
      en:
        'Nobody whom this machine believes has signed the certificate. Where that is an authority of your own, start ' +
        'Winback with NODE_EXTRA_CA_CERTS=/path/to/authority.pem; else the server has to send its whole chain.',
      zh:
        '该证书的签发机构不被本机信任。若是自有机构，请用 NODE_EXTRA_CA_CERTS=/path/to/authority.pem 启动 Winback；' +
        '否则服务器须发送完整的证书链。',
    },
  ],
  [
    /certificate has expired/i,
    {
      en: 'Whoever runs the server has to renew its certificate. Is the clock of this machine right?',
      zh: '服务器的证书须由其管理者更新。本机的时钟正确吗？',
    },
  ],
  [
    /certificate is not yet valid/i,
    {
      en: 'The certificate is not good yet: look at the clock of this machine.',
      zh: '证书尚未生效：请检查本机的时钟。',
    },
  ],
  [
    /does not match certificate's altnames/i,
    {
      en: 'The certificate is for other names: write one of those as the host.',
      zh: '证书属于其他主机名：请把主机写成证书上的名称。',
    },
  ],
  [
    /does not support SSL/i,
    {
      en: 'Turn TLS on at the server. Only where nobody else can listen on the way, write sslmode=disable.',
      zh: '请在服务器上启用 TLS。只有途中无人能够窃听时，才写 sslmode=disable。',
    },
  ],
  [
    /no pg_hba\.conf entry .*no encryption/,
    {
      en:
        'The server lets nobody in without TLS: write ?sslmode=verify-full behind the url, and &sslrootcert=/path/to/authority.pem ' +
        'where the certificate is of an authority of your own.',
      zh:
        '服务器不接受未加密的连接：请在 url 后写 ?sslmode=verify-full；若证书由自有机构签发，再加 ' +
        '&sslrootcert=/path/to/authority.pem。',
    },
  ],
  [
    /wrong version number|packet length too long|http request/i,
    {
      en: 'That port does not begin with TLS: name the one that does, or a scheme without it.',
      zh: '该端口不是以 TLS 开始的：请改用加密端口，或不加密的写法。',
    },
  ],
  [
    /protocol version|unsupported protocol|no protocols available|handshake failure/i,
    {
      en: 'The server speaks only TLS that is no longer safe: it has to offer version 1.2 or newer.',
      zh: '服务器只支持已不安全的 TLS 版本：须提供 1.2 或更新的版本。',
    },
  ],
  [
    /disconnected before secure TLS|socket hang up|closed unexpectedly/i,
    {
      en: 'The server hung up before anything was said: is it the right port, and is this machine let in?',
      zh: '服务器在交谈之前就断开了：端口是否正确，是否允许本机访问？',
    },
  ],
  [
    /ENOTFOUND/,
    {
      en: 'There is no host of that name: is it spelt right?',
      zh: '没有这个主机名：拼写是否正确？',
    },
  ],
  [
    /EAI_AGAIN|DNS lookup .* timed out/,
    {
      en: 'No name server answers: look at the DNS of this machine (/etc/resolv.conf).',
      zh: '域名服务器没有应答：请检查本机的 DNS（/etc/resolv.conf）。',
    },
  ],
]

/** By the words of its error, whoever met it; undefined where they say no more than that it failed. */
export function connectionRemedy(error: unknown): ConnectionRemedy | undefined {
  const message = messageOf(error)
  return CONNECTION_REMEDIES.find(([words]) => words.test(message))?.[1]
}
