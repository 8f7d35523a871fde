import assert from 'node:assert/strict'
import { messageOf } from '../errors.ts'
import type { Channel, Template } from './channel.ts'
import type { OpenChannel } from './harness.ts'

// What the conformance suite proves its clauses with: it waits no longer than a channel says, looks for secrets in what it
// is told, and tells whose doing it was that something threw.

/** Milliseconds a send may end after its deadline, by a timer that is as late as the machine is busy. */
const LATENESS = 1_000
/** What a template or a contact may hold without anybody meaning it: headers, ends of messages, halves of letters. */
const ODD = '\r\nBcc: all@shop.example\r\n\r\n.\r\nMAIL FROM:<x@shop.example>\r\n\u0000\ud800'

/** What is handed over in the place of the usual. */
export interface Odd<Address, Content> {
  readonly address?: Address | undefined
  readonly content?: Content
}

export const OUTCOMES: readonly string[] = ['sent', 'rejected', 'retry', 'uncertain']
export const ANSWERS: readonly string[] = ['sent', 'absent', 'unknown']

/** No compiler may have seen who says it. */
export function isText(said: unknown): boolean {
  return typeof said === 'string' && said !== ''
}

/**
 * Waits for what a channel does, up to its deadline. The second timer starts when the first has rung: on a machine that
 * is too busy to ring in time, nothing else can be.
 */
export async function inTime<Value>(
  { deadline }: Pick<Channel, 'deadline'>,
  what: string,
  done: Promise<Value>,
): Promise<Value> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    const message = `${what}() had not ended a second after its deadline of ${deadline} ms`
    timer = setTimeout(() => {
      timer = setTimeout(() => reject(new assert.AssertionError({ message })), LATENESS)
    }, deadline)
  })
  return await Promise.race([done, late]).finally(() => clearTimeout(timer))
}

/** @param where what said it, for whoever looks for the place */
export function keepSecret(where: string, said: string, secrets: readonly string[] = []): void {
  const masked = secrets.reduce((text, secret) => text.replaceAll(secret, '•••'), said)
  assert(masked === said, `${where} tells a secret of the settings (•••): ${masked.slice(0, 300)}`)
}

/** Asks what must not throw; where it does, that is what is told, with whose doing it is. */
export async function unthrown<Value>(what: string, ask: () => Value | Promise<Value>): Promise<Value> {
  try {
    return await ask()
  } catch (cause) {
    throw new Error(`${what} threw: ${messageOf(cause)}`, { cause })
  }
}

/** A check may fail while the provider is at fault; it does so in time, and tells no secret. */
export async function checkAnswers({ channel, secrets }: OpenChannel<unknown, unknown>): Promise<void> {
  const said = await inTime(
    channel,
    'check',
    (async () => await channel.check())().catch((error: unknown) => String(error)),
  )
  keepSecret('check()', said, secrets)
}

/** A template all of whose texts end with what nobody meant. */
export function oddly({ name, render }: Template): Template {
  return {
    name,
    render: (view) => {
      const { front, html, text, ...rest } = render(view)
      const odd = Object.entries(front).map(([key, value]) => [key, value + ODD])
      return { ...rest, front: Object.fromEntries(odd), html: html + ODD, text: `${text ?? ''}${ODD}` }
    },
  }
}

/** What was rendered; undefined where the channel refuses to. */
export function contentOf<Content>(render: () => Content): Content | undefined {
  try {
    return render()
  } catch {
    return undefined
  }
}
