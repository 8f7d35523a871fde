import { readMail } from '../channels/email/catcher.ts'
import { LINK_PATHS } from '../channels/email/links.ts'
import type { ManualClock } from '../clock.ts'
import { followLink } from '../service/mail.ts'
import type { Runtime } from '../service/runtime.ts'
import { uniform } from './draws.ts'
import type { SimulatedActivity } from './world.ts'

// Some of those whom a mail brings back come by its link, which is taken by the very code that stands behind the address it
// leads to; the others type the shop's.

/** A browser that people use. */
const BROWSER = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'
/** The share that follows the link. */
const FOLLOWS = 0.4
/** The link of a mail's page that counts, with its token. */
const LINK = new RegExp(`href="[^"]*${LINK_PATHS.click}/([^"/]+)"`)
/** Milliseconds from the link to the shop's front page. */
const LEADS = 1000

/** A mail whose link brings its reader back at `at` (epoch ms), unless something else does so before. */
export interface MailAnswer {
  readonly externalId: string
  readonly at: number
  readonly raw: Buffer
}

/** Whether a person, whom a mail brings back at `at` (epoch ms), comes by its link. */
export function followsLink(seed: number, person: number, at: number): boolean {
  return uniform(seed, person, 'follows the link', Math.floor(at / 1000)) < FOLLOWS
}

/** Lets those click who came back when their mail would bring them: theirs is the session of that very moment. */
export async function clickThrough(
  runtime: Runtime & { readonly clock: ManualClock },
  answers: readonly MailAnswer[],
  done: readonly SimulatedActivity[],
): Promise<void> {
  const sessions = new Set(done.map(({ externalId, at }) => `${externalId} ${at}`))
  const now = runtime.clock.now()
  try {
    for (const { externalId, at, raw } of answers) {
      if (!sessions.has(`${externalId} ${at}`)) continue
      const { html = '' } = await readMail(raw)
      const [, token] = LINK.exec(html) ?? []
      if (token === undefined) continue
      runtime.clock.set(new Date(at - LEADS))
      const link = await followLink(runtime, token, BROWSER)
      if (!link || link.lost !== undefined) throw new Error(`a link of ${externalId}’s mail leads nowhere`)
    }
  } finally {
    runtime.clock.set(now)
  }
}
