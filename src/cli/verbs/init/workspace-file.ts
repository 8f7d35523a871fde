/** What `winback init` asks of the place it writes into. */
export interface WorkspaceFileValues {
  /** The brand's name, as recipients read it. */
  name: string
  timezone: string
  /** Where mail goes; a catcher on this machine unless SMTP_HOST says otherwise. */
  smtp?: { host: string; port: number; connections: number }
  /** Blocks of all other channels but `log` and `inapp`, indented as below `channels`; none is awaited then. */
  channels?: string
  /** Further blocks of the file, as they stand in it. */
  settings?: string
}

/** What is there without a provider, and what is set up with one. */
const AWAITED = `  # Calls that people make: \`winback calls list\`. An hour of theirs costs \`wage\`.
  callback: { wage: "60", country: "86" }
  # Text messages, over Aliyun or Twilio (docs/channels.md):
  # sms: { provider: twilio, account_sid: "\${TWILIO_SID}", auth_token: "\${TWILIO_TOKEN}", from: "+15005550006" }
  # Browsers and apps, by VAPID, FCM and JPush:
  # push: { jpush: { app_key: "\${JPUSH_KEY}", master_secret: "\${JPUSH_SECRET}" } }
  # One of your own, by its module (docs/adding-a-channel.md):
  # relay: { module: ./channels/relay.js }

# Channels that campaigns name and that are not set up above yet. Nobody is reached on them, a list of channels goes on
# to its next, and the report says how many that left without a message. Take out what you set up.
not_yet: [push, sms]
`

/** A name as it stands before an address: between quotes where it has a sign that means something there. */
function senderName(name: string): string {
  return /["(),:;<>@[\]\\]/.test(name) ? `"${name.replace(/["\\]/g, '\\$&')}"` : name
}

/** The commented winback.yaml that `winback init` writes. Everything in it is valid as it stands. */
export function workspaceFile(values: WorkspaceFileValues): string {
  const smtp = values.smtp ?? { host: `\${SMTP_HOST:-127.0.0.1}`, port: 1025, connections: 5 }
  return `# yaml-language-server: $schema=./campaigns/workspace.schema.json
# The workspace: what is true for every campaign. \`winback validate\` checks it, \`winback doctor\` tries it.
version: 1
name: ${JSON.stringify(values.name)}           # as recipients read it
timezone: ${values.timezone}        # where a contact's own zone is unknown
currency: CNY
locales: [zh-CN, en]           # languages the templates come in; the first is the fallback

# The share of people no campaign ever touches. It measures all campaigns together; 5% is a usual choice.
control: 0%

# Events that count as "the person is active". Anything else is kept and changes nothing.
activity: [session, order]
orders: { event: order }

# Contacts that share an e-mail or phone are one person, unless so many share it that it says nothing.
persons: { shared_by_at_most: 5 }

# What contacts carry. \`fresh\`: older than this, a value is not used in a message.
attributes:
  status: string               # the campaigns that come with it take in those that are "active"
  first_name: { type: string, description: How the person is addressed }
  points: { type: number, fresh: 7d, description: Points that can still be spent }
  points_expire_at: { type: timestamp, fresh: 7d, description: When they lapse }

channels:
  # Delivers nowhere and counts: for steps whose real channel is not set up yet, and for dry runs.
  log: {}
  # What your own app asks for at sign-in: GET /v1/inapp/EXTERNAL_ID.
  inapp: {}
  # A log step costs nothing; e-mail needs a sender and a server. Until SMTP_HOST is set, mail goes to port 1025
  # of this machine; \`winback start --catch-mail\` shows it on the web instead of sending it.
  email:
    from: ${JSON.stringify(`${senderName(values.name)} <hello@example.com>`)}
    price: "0.002"             # of one message, in \`currency\`
    smtp:
      host: ${JSON.stringify(smtp.host)}
      port: ${smtp.port}               # 587 with a provider, or 465 and then secure: true
      connections: ${smtp.connections}
      # Secrets are only ever written as \${NAME} or \${file:path}.
      # user: "\${SMTP_USER}"
      # password: "\${SMTP_PASSWORD}"
    # dkim: { domain: example.com, selector: winback, private_key: "\${file:dkim.pem}" }
${values.channels ?? AWAITED}
# Without a url, an embedded PostgreSQL under .winback/ (for trials and small shops). Yours: DATABASE_URL, or
# database: { url: "\${DATABASE_URL}" }
# Without a url, the queue runs on the database. With several machines, REDIS_URL, or
# redis: { url: "\${REDIS_URL}" }

# Where the web side listens, and where the world finds it: the base of links in messages.
# web: { host: 127.0.0.1, port: 7420, url: https://winback.example.com }

# Monday's page by e-mail, with its charts, to whoever runs the campaigns.
# digest: { to: [you@example.com], schedule: "0 8 * * 1" }

${values.settings === undefined ? '' : `${values.settings}\n\n`}templates: templates
campaigns: campaigns
`
}
