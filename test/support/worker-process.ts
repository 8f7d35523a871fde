import { openEmail } from '../../src/channels/email/email.ts'
import { emailSettings } from '../../src/channels/email/settings.ts'
import { connect } from '../../src/database/connect.ts'
import { messageOf } from '../../src/errors.ts'
import { openRuntime } from '../../src/service/runtime.ts'
import { startScheduler } from '../../src/service/scheduler.ts'
import { startSending } from '../../src/service/sending.ts'
import type { ServiceEvents } from '../../src/service/service.ts'
import type { WorkerNote, WorkerOrder, WorkerTask } from './processes.ts'

// A worker or a scheduler as `winback` starts it, in a process of its own, with shorter patience. Told what to do by
// its first argument; blocks its event loop or ends in order when it is asked to.

const task = JSON.parse(process.argv[2] ?? '{}') as WorkerTask
const say = (note: WorkerNote) => process.send?.(note)

const database = connect(task.databaseUrl, { max: 6, applicationName: `winback ${task.role}` })
const channels =
  task.smtp === undefined
    ? new Map()
    : new Map([
        [
          'email',
          openEmail(
            emailSettings.parse({
              from: 'Shop <hello@shop.example>',
              smtp: {
                host: '127.0.0.1',
                port: task.smtp.port,
                secure: false,
                require_tls: false,
                connections: task.smtp.connections,
                window: task.smtp.connections,
                messages_per_connection: 1000,
              },
              price: task.smtp.price,
            }),
            task.smtp.timing,
          ),
        ],
      ])
// Here, not where it was forked: to come so far takes long on a busy machine.
const ahead = task.begins === undefined ? 0 : task.begins - Date.now()
const clock = { now: () => new Date(Date.now() + ahead) }
const runtime = await openRuntime({
  database,
  workspace: task.workspace,
  clock,
  channels,
  leases: task.leases,
})
const events: ServiceEvents = {
  onRun: (campaign, tick, result) =>
    say({ event: 'run', campaign, tick: tick.toISOString(), state: result.state }),
  onBatch: (result) => say({ event: 'batch', claimed: result.claimed }),
  onSweep: (swept) => say({ event: 'sweep', ...swept }),
  onError: (where, error) => say({ event: 'error', where, message: messageOf(error) }),
}
const service =
  task.role === 'scheduler'
    ? await startScheduler(runtime, task.engine, events, { pace: task.pace })
    : await startSending(runtime, task.engine, events, task.lock)
say({ event: 'ready' })

process.on('message', (order: WorkerOrder) => {
  if (order.order === 'block') {
    say({ event: 'blocking' })
    // In the next turn, so that the note is out.
    setImmediate(() => {
      // Nothing of it runs meanwhile, as in a long computation, and the processor is free for the other processes.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, order.milliseconds)
    })
  } else void stop()
})

async function stop(): Promise<void> {
  await service.close()
  await runtime.close()
  await database.close()
  process.disconnect()
}
// Nobody is left to tell us anything.
process.on('disconnect', () => process.exit(0))
