import type { Command } from 'commander'
import { spoken } from '../locale.ts'
import { describe, type Start } from '../verb.ts'
import type { Role, ServeOptions } from './serve.ts'

export function start(begin: Start): Command[] {
  return [
    role(begin, 'start', ['scheduler', 'worker', 'web'], {
      summary: 'Run everything in one process: schedules, dispatch, sending, sweeping, web',
      description:
        'Runs each campaign by its schedule (a missed run is caught up once), sends what is due, and mends what a ' +
        'crash left behind. Serves the web side as `web` in winback.yaml says. Ctrl-C lets what is under way end.',
      examples: [
        ['winback start', 'all of it, until Ctrl-C'],
        [
          'winback start --catch-mail',
          'while you develop: mails are shown on the web under Outbox, and go nowhere',
        ],
      ],
    }).option('--catch-mail', 'catch the mail sent to this machine and show it on the web; nothing goes out'),
    role(begin, 'worker', ['worker'], {
      summary: 'Only send: one more machine for the work',
      description: 'Takes batches from the queue that a scheduler fills. Any number may run, anywhere.',
      examples: [['DATABASE_URL=… REDIS_URL=… winback worker', 'on a second machine']],
    }),
    role(begin, 'scheduler', ['scheduler'], {
      summary: 'Only schedule, dispatch and sweep',
      description: 'Several may run: each schedule still runs once.',
      examples: [['DATABASE_URL=… REDIS_URL=… winback scheduler', 'beside workers on other machines']],
    }),
    role(begin, 'web', ['web'], {
      summary: 'Only serve the web side: events in, links of messages',
      description:
        'Listens where `web` in winback.yaml says. Any number may run, behind a load balancer that asks /readyz.',
      examples: [['DATABASE_URL=… winback web', 'beside the others, on as many machines as it takes']],
    }),
  ]
}

function role(
  begin: Start,
  name: string,
  roles: readonly Role[],
  about: { summary: string; description: string; examples: readonly (readonly [string, string])[] },
): Command {
  return spoken(describe(name, { group: 'run', ...about })).action(
    (options: ServeOptions, command: Command) =>
      begin(command, async (invocation) => {
        // The whole service takes longer to read than the help that says what it does.
        const { serve } = await import('./serve.ts')
        return serve(invocation, roles, options)
      }),
  )
}
