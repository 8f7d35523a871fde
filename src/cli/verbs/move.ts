import type { Command } from 'commander'
import { pause, readSwitches } from '../../config/switches.ts'
import { assertServer, connect, type Database, placeOf } from '../../database/connect.ts'
import { type Moved, moveDatabase } from '../../database/move.ts'
import { codeOf, messageOf, WinbackError } from '../../errors.ts'
import { type Spoken, sayIn, speechIn, spoken } from '../locale.ts'
import type { Outcome } from '../output.ts'
import { describe, type Start } from '../verb.ts'
import { type DatabaseContext, withWorkspace } from '../workspace.ts'

/** Where a new database's url is read from, where none is given: on the command line others could read its password. */
const NEW_URL = 'NEW_DATABASE_URL'

export function move(start: Start): Command {
  const command = describe('move', {
    group: 'care',
    summary: 'Copy everything into another PostgreSQL, such as from the embedded one to your own',
    description:
      'End every other process of Winback first. People, groups, history and what waits come along, as they were at one ' +
      'moment; the new database has to be empty. What is left here is paused, so that nobody is written to from both.',
    examples: [
      [`${NEW_URL}=postgres://winback:…@db.example.com/winback winback move`, 'from the database in use'],
    ],
  })
  return spoken(command)
    .argument(
      '[url]',
      `the new database (default: ${NEW_URL} of the environment, which keeps a password to itself)`,
    )
    .action((url: string | undefined, options: Spoken, command: Command) =>
      start(command, (invocation) => {
        const copy = { whole: false }
        const work = (context: DatabaseContext) =>
          runMove(context, url, options, () => {
            copy.whole = true
          })
        // What was copied is no longer rolled back: what is left here has to be paused, whatever comes.
        return withWorkspace(invocation, work, { spares: () => copy.whole })
      }),
    )
}

/** What came along, and to where. */
export interface MoveResult extends Moved {
  readonly rows: number
  /** Host and name of the new database. */
  readonly to: string
  readonly schema: string
}

async function runMove(
  context: DatabaseContext,
  given: string | undefined,
  options: Spoken,
  onCopied: () => void,
): Promise<Outcome<MoveResult>> {
  const { database, clock, environment, output } = context
  const speech = speechIn(context, options)
  const say = sayIn(speech)
  const url = given ?? environment.variables[NEW_URL]
  if (url === undefined || !/^postgres(ql)?:\/\/./.test(url)) {
    throw new WinbackError(
      'usage.url',
      url === undefined
        ? 'the url of the new database is missing'
        : 'the new database wants a url of PostgreSQL',
      { remedy: `Set ${NEW_URL}, such as postgres://winback:PASSWORD@db.example.com/winback.` },
    )
  }
  const target = connect(url, { schema: database.schema, applicationName: 'winback move' })
  try {
    await assertAnswers(target)
    const progress = output.progress(say('Moving', '正在迁移'))
    const moved = await moveDatabase(database, target, {
      onProgress: (bytes, total, table) => progress.update(bytes, total, table),
    }).finally(() => progress.finish())
    onCopied()
    const { server, path } = placeOf(target.url)
    const to = `${server}${path}`
    const paused = (await readSwitches(database)).some(({ scope }) => scope === 'workspace')
    await pause(database, { scope: 'workspace', name: '*' }, { reason: `moved to ${to}`, clock })
    const rows = moved.tables.reduce((sum, each) => sum + each.rows, 0)
    const count = speech.count(rows)
    const resume = paused ? say(', and `winback resume --all`', '，再运行 `winback resume --all`') : ''
    return {
      data: { ...moved, rows, to, schema: database.schema },
      text: say(
        `Moved ${count} rows to ${to}. What is left here is paused.\n` +
          `Set DATABASE_URL to the new database, run \`winback doctor\`, and start the processes again${resume}.`,
        `已将 ${count} 行迁移到 ${to}。原数据库已暂停。\n` +
          `请将 DATABASE_URL 设为新数据库，运行 \`winback doctor\`，然后重新启动各进程${resume}。`,
      ),
    }
  } finally {
    await target.close()
  }
}

/** @throws WinbackError that speaks of the new database: the one in use has answered */
async function assertAnswers(target: Database): Promise<void> {
  try {
    await assertServer(target)
  } catch (cause) {
    const silent = `Check ${NEW_URL}, and that the server is PostgreSQL 15 or newer, is up and lets you in.`
    const known = cause instanceof WinbackError && cause.code === 'database.pooler' ? cause.remedy : undefined
    throw new WinbackError(codeOf(cause), `the new database: ${messageOf(cause)}`, {
      remedy: known ?? silent,
      cause,
    })
  }
}
