import { basename } from 'node:path'
import { maskEmail, maskPhone } from '../config/masking.ts'
import { contactIdOf } from '../contacts/external-ids.ts'
import type { Session } from '../database/connect.ts'
import { WinbackError } from '../errors.ts'
import { readCallId } from '../outcomes/calls.ts'
import { beginAudit, endAudit } from '../web/audit.ts'
import { operator } from './operator.ts'
import type { Asked, Invocation } from './verb.ts'

// What is done at the terminal, as the audit tells it: one table for all verbs, and one place that records. A verb that
// is in the table with nothing only looks; one that is missing fails a test. Contacts stand in it by their internal id.

/** A change as the command line asked for it. */
interface Change {
  /** See AUDIT_WORDS. */
  readonly action: string
  readonly about?: string | undefined
  /** The external id of the contact it is about, instead of `about`. */
  readonly contact?: string | undefined
  readonly detail?: Readonly<Record<string, unknown>>
}

type Reading = ((asked: Asked) => Change | undefined) | null

const first = ({ args }: Asked): string => String(args[0] ?? '')
const text = (asked: Asked, name: string): string | undefined => {
  const value = asked.options[name]
  return typeof value === 'string' ? value : undefined
}

const switched =
  (action: string) =>
  (asked: Asked): Change => {
    const channel = text(asked, 'channel')
    const about = asked.options.all
      ? 'everything'
      : channel
        ? `channel ${channel}`
        : `campaign ${first(asked)}`
    return { action, about, detail: given({ reason: text(asked, 'reason') }) }
  }
const user =
  (action: string) =>
  (asked: Asked): Change => ({
    action,
    about: `user ${first(asked).toLowerCase()}`,
    detail: given({ role: text(asked, 'role') }),
  })
const call =
  (action: string) =>
  (asked: Asked): Change => {
    const key = readCallId(first(asked))
    const outcome = action === 'call.outcome' ? String(asked.args[1] ?? '') : undefined
    return {
      action,
      about: key && `contact ${key.contactId}`,
      detail: given({ agent: text(asked, 'agent'), outcome }),
    }
  }
const imported =
  (kind: string) =>
  ({ args }: Asked): Change => ({
    action: 'data.import',
    detail: { kind, file: basename(String(args.at(-1) ?? '')) },
  })

/** Every verb, as it is typed; null: it only looks, or what it does is recorded as it happens. */
export const CHANGES: Readonly<Record<string, Reading>> = {
  init: null,
  validate: null,
  plan: null,
  apply: ({ args, options }) => {
    const campaigns = Array.isArray(args[0]) ? args[0].map(String) : []
    const [only] = campaigns
    // Which of all have changed is seen as they are applied: their versions say by whom.
    const about = only === undefined ? 'everything' : `campaign ${only}`
    return campaigns.length > 1
      ? { action: 'campaign.apply', detail: { campaigns } }
      : { action: 'campaign.apply', about, detail: given({ plan: options.plan }) }
  },
  rollback: (asked) =>
    asked.options.list
      ? undefined
      : {
          action: 'campaign.rollback',
          about: `campaign ${first(asked)}`,
          detail: given({ to: asked.options.to }),
        },
  'schema campaign': null,
  'schema workspace': null,
  'import contacts': imported('contacts'),
  'import activity': imported('activity'),
  'import suppressions': imported('suppressions'),
  'import consents': imported('consents'),
  'import sends': imported('sends'),
  'import redemptions': imported('redemptions'),
  'import codes': imported('codes'),
  'import interviews': imported('interviews'),
  sync: (asked) =>
    asked.options.dryRun
      ? undefined
      : { action: 'data.sync', detail: given({ source: asked.args[0], full: asked.options.full }) },
  // A mail that came back is kept as a receipt.
  bounce: null,
  'calls list': null,
  'calls claim': call('call.take'),
  'calls release': call('call.release'),
  'calls outcome': call('call.outcome'),
  preview: null,
  'test-send': (asked) => ({
    action: 'message.test',
    about: `campaign ${first(asked)}`,
    detail: { step: asked.args[1] },
  }),
  // It works in a schema of its own.
  replay: null,
  run: (asked) =>
    asked.options.dryRun
      ? undefined
      : {
          action: 'campaign.run',
          about: asked.args[0] === undefined ? undefined : `campaign ${first(asked)}`,
        },
  // What runs by itself stands in the runs, the touchpoints and the switches.
  start: null,
  worker: null,
  scheduler: null,
  web: null,
  pause: switched('switch.pause'),
  resume: switched('switch.resume'),
  stop: switched('switch.stop'),
  // Where to may hold a password; that it was moved stands as the reason of the pause.
  move: () => ({ action: 'data.move' }),
  report: null,
  digest: (asked) =>
    Array.isArray(asked.options.to)
      ? { action: 'digest.send', detail: { to: asked.options.to.length } }
      : undefined,
  annotate: (asked) =>
    asked.options.remove === undefined
      ? asked.args[0] === undefined
        ? undefined
        : { action: 'annotation.add', about: about('campaign', text(asked, 'campaign')) }
      : { action: 'annotation.remove', detail: { annotation: asked.options.remove } },
  lift: null,
  explain: null,
  signals: ({ options }) =>
    options.refit ? { action: 'signals.refit' } : options.refresh ? { action: 'signals.refresh' } : undefined,
  'api-keys create': (asked) => ({
    action: 'key.create',
    detail: { name: first(asked), scopes: asked.options.scope },
  }),
  'api-keys list': null,
  'api-keys revoke': (asked) => ({ action: 'key.revoke', about: `key ${first(asked)}` }),
  doctor: null,
  'users list': null,
  'users add': user('user.add'),
  'users link': user('user.link'),
  'users role': user('user.role'),
  'users disable': user('user.disable'),
  'users enable': user('user.enable'),
  'signing-keys list': null,
  'signing-keys rotate': () => ({ action: 'signing_key.rotate' }),
  'signing-keys retire': (asked) => ({ action: 'signing_key.retire', about: `signing key ${first(asked)}` }),
  consent: (asked) => {
    const channel = text(asked, 'give') ?? text(asked, 'withdraw')
    if (channel === undefined) return undefined
    const decision = text(asked, 'give') === undefined ? 'withdrawn' : 'given'
    return { action: 'contact.consent', contact: first(asked), detail: { channel, decision } }
  },
  allow: ({ args, options }) => {
    if (options.dryRun) return undefined
    const address = typeof args[0] === 'string' ? args[0] : undefined
    const file = typeof options.file === 'string' ? basename(options.file) : undefined
    return {
      action: 'contact.allow',
      detail: given({
        address: address && (address.includes('@') ? maskEmail(address) : maskPhone(address)),
        file,
        any_import: options.anyImport,
        bounced: options.bounced,
      }),
    }
  },
  export: (asked) => ({ action: 'contact.export', contact: first(asked) }),
  erase: (asked) => ({ action: 'contact.erase', contact: first(asked) }),
}

/**
 * Records what a verb is about to change, and runs it: a verb is many transactions, and one that is killed on the way has
 * done part of it. Where it fails, the entry says so; refused for how it was asked for, it did nothing, and the entry goes.
 */
export async function withAudit<T>(
  session: Session,
  { asked, clock }: Pick<Invocation, 'asked' | 'clock'>,
  work: () => Promise<T>,
): Promise<T> {
  const change = asked && CHANGES[asked.verb]?.(asked)
  if (!change) return await work()
  // Whom an erasure was about, nobody can say afterwards.
  const subject =
    change.contact === undefined ? change.about : about('contact', await contactIdOf(session, change.contact))
  const auditId = await beginAudit(session, {
    at: clock.now(),
    actor: operator(),
    via: 'cli',
    action: change.action,
    about: subject ?? null,
    detail: change.detail && Object.keys(change.detail).length > 0 ? change.detail : null,
  })
  try {
    return await work()
  } catch (error) {
    const code = error instanceof WinbackError ? error.code : 'failed'
    const end = /^usage\.|\.unknown$/.test(code) ? 'refused' : { failed: code }
    // What failed may have been the database: the first error is the one to be told.
    await endAudit(session, auditId, end).catch(() => {})
    throw error
  }
}

function about(kind: string, name: string | number | undefined): string | undefined {
  return name === undefined ? undefined : `${kind} ${name}`
}

/** Without what was not said. */
function given(detail: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(detail).filter(([, value]) => value !== undefined))
}
