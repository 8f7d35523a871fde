import { codeOf, messageOf } from '../errors.ts'

// Why a connection to a server of whatever kind does not come about, told by the words of Node.js, OpenSSL or PostgreSQL.

/** What is to be done where a connection does not come about, in two languages. */
export interface ConnectionRemedy {
  readonly en: string
  readonly zh: string
}

const REMEDIES: readonly (readonly [RegExp, ConnectionRemedy])[] = [
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
      zh: '服务器在通信开始前就断开了连接：端口是否正确，是否允许本机访问？',
    },
  ],
  [
    // Of PostgreSQL, by its code: it says so in its own language.
    /^53300 /,
    {
      en:
        'No connection is free: raise `max_connections` of PostgreSQL (or the limit of the role, or of the database), or end what ' +
        'holds them. A process of Winback takes up to twelve, and nine more for a queue on the database.',
      zh:
        '没有空闲的连接：请调高 PostgreSQL 的 `max_connections`（或该角色、该数据库的上限），或结束占用连接的程序。' +
        '一个 Winback 进程最多占用 12 个连接，队列使用数据库时再加 9 个。',
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

/** What is to be done, by the words of an error, whoever met it; undefined where they say no more than that it failed. */
export function connectionRemedy(error: unknown): ConnectionRemedy | undefined {
  const message = `${codeOf(error)} ${messageOf(error)}`
  return REMEDIES.find(([words]) => words.test(message))?.[1]
}
