import { openDesk } from '../cli/verbs/desk.ts'
import type { DatabaseContext } from '../cli/workspace.ts'
import { type Clock, systemClock } from '../clock.ts'
import { WinbackError } from '../errors.ts'
import { refreshReports } from '../service/reporting.ts'
import { openRuntime } from '../service/runtime.ts'
import { addUser } from '../web/accounts/users.ts'
import { makeWayIn } from '../web/pages/sign-in/way-in.ts'
import { startWeb, type WebServer } from '../web/server.ts'
import type { Mailbox } from './mailbox.ts'

/** A clock that goes on from `moment` as time does: whoever looks at a past looks from its end. */
function clockFrom(moment: Date): Clock {
  const behind = systemClock.now().getTime() - moment.getTime()
  return { now: () => new Date(systemClock.now().getTime() - behind) }
}

/** The pages over what the demo left. Nothing runs behind them: what was sent was sent. */
export interface OpenWeb {
  /** Signs a visitor in, once. */
  readonly link: string
  close(): Promise<void>
}

/**
 * Serves the pages as of `end` and on from there, where the workspace says or, if that is taken, on any port.
 * @param context the demo's; its clock is not used
 */
export async function openWeb(context: DatabaseContext, mailbox: Mailbox, end: Date): Promise<OpenWeb> {
  const { database, loaded } = context
  const clock = clockFrom(end)
  const runtime = await openRuntime({ database, workspace: loaded.definition, clock })
  // What a scheduler does on its way: pages show counted figures.
  await refreshReports(runtime)
  const visitor = await addUser(database, { name: 'visitor', role: 'admin', now: clock.now(), by: 'demo' })
  const wayIn = makeWayIn(visitor.userId)
  const dependencies = {
    runtime,
    wayIn,
    desk: openDesk({ ...context, clock }),
    caught: await mailbox.caught(),
    onError: (where: string, error: unknown) => context.output.warn(`${where}: ${String(error)}`),
  }
  const { host, port } = loaded.definition.web
  const server = await startWeb(dependencies, { host, port }).catch((error: unknown): Promise<WebServer> => {
    // Another Winback may well be running on this machine.
    if (error instanceof WinbackError && error.code === 'web.address') {
      return startWeb(dependencies, { host, port: 0 })
    }
    throw error
  })
  return {
    link: `${server.address}${wayIn.path}`,
    close: async () => {
      await server.close(1000)
      await runtime.close()
    },
  }
}
