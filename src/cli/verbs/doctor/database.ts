import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { countriesOf } from '../../../channels/sms/phone.ts'
import { formatDuration } from '../../../config/quantities.ts'
import { readSwitches } from '../../../config/switches.ts'
import { appliedNames } from '../../../config/versions.ts'
import { CREDITOR } from '../../../config/waits.ts'
import { lastToCompare } from '../../../contacts/whole-numbers.ts'
import { placeOf, rows, type Session } from '../../../database/connect.ts'
import { pendingMigrations } from '../../../database/migrate.ts'
import { readShortages } from '../../../offers/pools.ts'
import { absenceText, readAbsences } from '../../../reports/absences.ts'
import { gapBetween, gapText, readQueues } from '../../../reports/queues.ts'
import { switchReason } from '../../../reports/switch-reason.ts'
import type { Speech } from '../../../reports/words.ts'
import { shortageFinding } from '../../../service/plan/sentences.ts'
import { openTemplates, readCampaigns } from '../../campaigns.ts'
import { filelessCampaigns, filelessText } from '../../fileless.ts'
import { type Say, sayIn } from '../../locale.ts'
import { lostMessages, lostText } from '../../lost-channels.ts'
import { openQuietRuntime } from '../../quiet-runtime.ts'
import { namedBy } from '../../still-held.ts'
import type { DatabaseContext } from '../../workspace.ts'
import { shown } from '../../workspace-file.ts'
import { type Finding, fine, notYet, wrong } from './finding.ts'
import { checkRights } from './rights.ts'
import { checkVersions } from './versions.ts'

/** Whoever works on the database goes by its time; what is signed for a provider bears this machine's. */
const TOLERATED_SKEW_MS = 5000
/** Feeds come nightly at the slowest; campaigns say more exactly what they need. */
const FEED_MAX_AGE_S = 36 * 3600

/** Everything that can be asked of an open database, whether or not it was ever migrated. */
export async function checkDatabase(context: DatabaseContext, speech: Speech): Promise<Finding[]> {
  const { database, engine } = context
  const say = sayIn(speech)
  const { server, path } = placeOf(database.url)
  const folder = engine.kind === 'embedded' ? await dataFolder(context) : undefined
  const place =
    folder !== undefined
      ? say(`embedded, data in ${folder}`, `内置，数据位于 ${folder}`)
      : say(`at ${server}${path}`, `位于 ${server}${path}`)
  const findings = [
    fine(
      'database',
      say(
        `PostgreSQL ${engine.version} ${place}, schema ${database.schema}`,
        `PostgreSQL ${engine.version}（${place}），schema ${database.schema}`,
      ),
    ),
  ]
  findings.push(await checkClock(context, say), ...(await checkLimits(context, say)))
  const rights = await checkRights(context, say)
  findings.push(...rights.findings)
  if (!rights.readable) return findings
  const pending = await pendingMigrations(database)
  findings.push(
    pending.length === 0
      ? fine('migrations', say('up to date', '已是最新'))
      : notYet(
          'migrations',
          say(
            `${pending.length} pending: ${pending.join(', ')}`,
            `有 ${pending.length} 项待执行：${pending.join('、')}`,
          ),
          say('The next command that uses the database applies them.', '下一条使用数据库的命令会自动执行。'),
        ),
  )
  if (pending.length === 0)
    findings.push(
      await checkFeed(context, say),
      ...(await checkNumbers(context, say)),
      ...(await checkSwitches(context, speech)),
      ...(await checkAbsences(context, speech)),
      ...(await checkQueues(context, speech)),
      ...(await checkFileless(context, say)),
      ...(await checkLost(context, speech)),
      ...(await checkOffers(context, speech)),
      ...(await checkVersions(context, say)),
    )
  return findings
}

async function checkClock({ database }: DatabaseContext, say: Say): Promise<Finding> {
  const before = Date.now()
  const [answer] = await rows<{ now: Date }>(database, sql`SELECT clock_timestamp() AS now`)
  const after = Date.now()
  const skew = (answer?.now.getTime() ?? before) - (before + after) / 2
  return judgeClock(skew, (after - before) / 2, say)
}

/** Limits of time that were meant for the short statements of others. */
async function checkLimits({ database }: DatabaseContext, say: Say): Promise<Finding[]> {
  const limits = await rows<{ name: string; limit: string; role: string; database: string }>(
    database,
    sql`SELECT name, current_setting(name) AS "limit", quote_ident(current_user) AS role,
          quote_ident(current_database()) AS database
        FROM pg_settings WHERE name IN ('lock_timeout', 'statement_timeout', 'transaction_timeout') AND setting <> '0'
        ORDER BY name`,
  )
  return limits.map(({ name, limit, role, database }) =>
    notYet(
      'database',
      say(
        `${name} is ${limit}: what takes longer is ended each time, such as a run or a count over many people`,
        `${name} 为 ${limit}：耗时更长的操作每次都会被中止，例如涉及许多人的运行或统计`,
      ),
      say(
        `Have it run: ALTER ROLE ${role} IN DATABASE ${database} SET ${name} = 0; and start what runs anew.`,
        `请执行：ALTER ROLE ${role} IN DATABASE ${database} SET ${name} = 0;，再重启正在运行的进程。`,
      ),
    ),
  )
}

/** @param skew how far the database is ahead, ms; @param doubt half the round trip, ms */
export function judgeClock(skew: number, doubt: number, say: Say): Finding {
  const apart = Math.abs(skew)
  if (apart - doubt <= TOLERATED_SKEW_MS) {
    return fine(
      'clock',
      apart - doubt < 1000
        ? say('agrees with the database', '与数据库一致')
        : say(`${Math.round(apart)} ms apart from the database`, `与数据库相差 ${Math.round(apart)} 毫秒`),
    )
  }
  const seconds = Math.round(apart / 1000)
  return wrong(
    'clock',
    say(
      `this machine is ${seconds} s ${skew > 0 ? 'behind' : 'ahead of'} the database`,
      `本机比数据库${skew > 0 ? '慢' : '快'} ${seconds} 秒`,
    ),
    say(
      'Let both keep time by NTP (`timedatectl set-ntp true`).',
      '请让两者都用 NTP 校时（`timedatectl set-ntp true`）。',
    ),
  )
}

async function checkFeed({ database, clock, loaded }: DatabaseContext, say: Say): Promise<Finding> {
  const types = loaded.definition.activity
  const newest = await readNewest(database)
  return judgeFeed(newest.at, newest.contacts, clock.now(), types, say)
}

/** The newest activity, and how many contacts there are: all of them only where none ever did anything, else whether there are any. */
export async function readNewest(session: Session): Promise<{ at: Date | null; contacts: number }> {
  const [found] = await rows<{ at: Date | null; contacts: number }>(
    session,
    sql`SELECT f.at, (SELECT count(*) FROM (
          SELECT FROM contact_activity LIMIT CASE WHEN f.at IS NOT NULL THEN 1 END) a) AS contacts
        FROM (SELECT max(newest_at) AS at FROM feed_days) f`,
  )
  return found ?? { at: null, contacts: 0 }
}

export function judgeFeed(
  newest: Date | null,
  contacts: number,
  now: Date,
  types: readonly string[],
  say: Say,
): Finding {
  if (contacts === 0) {
    return notYet(
      'feed',
      say('there are no contacts yet', '还没有联系人'),
      say('Run `winback import contacts FILE`.', '请运行 `winback import contacts FILE`。'),
    )
  }
  const many = contacts.toLocaleString('en')
  if (newest === null) {
    return notYet(
      'feed',
      say(
        `${many} contacts and not one ${types.join(' or ')}`,
        `有 ${many} 位联系人，却没有任何 ${types.join(' 或 ')}`,
      ),
      say(
        'Run `winback import activity FILE`: without activity everybody looks inactive since they signed up.',
        '请运行 `winback import activity FILE`：没有活跃数据，每个人看起来都像注册后从未活跃。',
      ),
    )
  }
  const age = Math.max(0, Math.round((now.getTime() - newest.getTime()) / 1000))
  const words = say(
    `newest activity ${newest.toISOString()}, ${roughly(age)} ago`,
    `最近活跃 ${newest.toISOString()}，距今 ${roughly(age)}`,
  )
  return age <= FEED_MAX_AGE_S
    ? fine('feed', words)
    : wrong(
        'feed',
        words,
        say(
          'See why no activity comes in: a broken tracker makes everyone look inactive.',
          '请查明为何没有新的活跃数据：埋点中断会让每个人看起来都不活跃。',
        ),
      )
}

/** `45m`, `3h`, `12d`: the largest unit that fits. */
function roughly(seconds: number): string {
  const unit = seconds >= 172_800 ? 86_400 : seconds >= 7200 ? 3600 : 60
  return formatDuration(Math.max(1, Math.round(seconds / unit)) * unit)
}

/** Whose numbers are still told apart by the countries that were named before. */
async function checkNumbers({ database, loaded }: DatabaseContext, say: Say): Promise<Finding[]> {
  const last = await lastToCompare(database, countriesOf(loaded.definition))
  if (last === undefined || last === 0) return []
  return [
    notYet(
      'numbers',
      say(
        'contacts’ numbers have not been compared by the countries that winback.yaml names: who is one person, and who is on ' +
          'the do-not-contact list, is still as it was',
        '联系人的号码尚未按 winback.yaml 中的国家比对：谁是同一个人、谁在禁止联系名单上，仍按之前的结果',
      ),
      say(
        'The next start of a scheduler, `winback sync` or import of contacts compares them.',
        '调度器下次启动、运行 `winback sync` 或导入联系人时会比对。',
      ),
    ),
  ]
}

async function checkSwitches({ database }: DatabaseContext, speech: Speech): Promise<Finding[]> {
  const say = sayIn(speech)
  return (await readSwitches(database)).map((held) => {
    const { scope, name, state, reason: kept } = held
    const resume = `winback resume ${namedBy(held)}`
    const reason = switchReason(kept, speech.language)
    const [what, zh] =
      scope === 'workspace'
        ? ['everything', '全部']
        : [`${scope} ${name}`, `${SCOPES[scope] ?? scope} ${name} `]
    return state === 'stopped'
      ? notYet(
          'switches',
          say(`${what} is stopped for good: ${reason}`, `${zh}已永久停止：${reason}`),
          say(
            'It takes nobody in. To begin anew, give the campaign another name in its file and apply it.',
            '它不再纳入任何人。要重新开始，请在文件中给活动换一个名称再应用。',
          ),
        )
      : notYet(
          'switches',
          say(`${what} is paused: ${reason}`, `${zh}已暂停：${reason}`),
          say(`Run \`${resume}\` when it may go on.`, `可以继续时请运行 \`${resume}\`。`),
        )
  })
}

/** What the workers have found out: doctor's own look at a channel is from this machine, and of this moment. */
async function checkAbsences({ database, clock }: DatabaseContext, speech: Speech): Promise<Finding[]> {
  const say = sayIn(speech)
  const now = clock.now()
  return (await readAbsences(database, now)).map((absent) =>
    notYet(
      absent.channel === CREDITOR ? 'offers' : 'channels',
      absenceText(absent, now, speech),
      absent.channel === CREDITOR
        ? creditorRemedy(say)
        : say(
            `It goes on by itself once a worker reaches it; see what is said of it here, and what lies between it and the workers. Once that is mended, \`winback resume --channel ${absent.channel}\` has it tried at once.`,
            `工作进程能连上后会自动恢复；请查看此处对该渠道的检查，以及它与工作进程之间的网络。问题解决后，用 \`winback resume --channel ${absent.channel}\` 可立即尝试。`,
          ),
    ),
  )
}

/** Where the server itself has its data: of root, that may be elsewhere than in the workspace. */
async function dataFolder({ database }: DatabaseContext): Promise<string | undefined> {
  const [row] = await rows<{ data: string }>(database, sql`SELECT current_setting('data_directory') AS data`)
  return row && shown(row.data)
}

/** What schedulers and workers have said of themselves: doctor's own look at a queue is at that of this machine. */
async function checkQueues({ database }: DatabaseContext, { language }: Speech): Promise<Finding[]> {
  const queues = await readQueues(database)
  const gap = gapBetween(queues)
  if (!gap) return []
  const { found, mend } = gapText(gap, queues, language)
  return [wrong('queue', found, mend)]
}

function creditorRemedy(say: Say): string {
  return say(
    'It goes on by itself once the provider answers; check `offers.provider` in winback.yaml (its url and its token), and what lies between it and the workers.',
    '服务商恢复应答后会自动继续；请检查 winback.yaml 中的 `offers.provider`（url 与 token），以及它与工作进程之间的网络。',
  )
}

const SCOPES: Readonly<Record<string, string>> = { campaign: '活动', channel: '渠道' }

/**
 * Campaigns that run and have no file, where there are files: a machine that only runs has none. Nothing is said while a
 * file cannot be read, for it may be the one.
 */
async function checkFileless(context: DatabaseContext, say: Say): Promise<Finding[]> {
  const { directory, definition } = context.loaded
  if (!existsSync(join(directory, definition.campaigns))) return []
  const read = await openTemplates(context)
    .then((templates) => readCampaigns(context, templates))
    .catch(() => undefined)
  if (!read || read.campaigns.length < read.files.length) return []
  const named = read.campaigns.map((campaign) => campaign.definition.campaign)
  return (await filelessCampaigns(context, named)).map((name) => {
    const { found, mend } = filelessText(name, say)
    return wrong('campaigns', found, mend)
  })
}

/** What people under way wait for and nothing will send. */
async function checkLost(context: DatabaseContext, speech: Speech): Promise<Finding[]> {
  return (await lostMessages(context)).map((lost) => {
    const { found, mend } = lostText(lost, speech)
    return wrong('channels', found, mend)
  })
}

/** Stocks and imported codes that run low or out, or that end before many more can be given. */
async function checkOffers(context: DatabaseContext, speech: Speech): Promise<Finding[]> {
  const { database, clock } = context
  const { book } = await openQuietRuntime(context)
  const findings: Finding[] = []
  for (const name of await appliedNames(database)) {
    const offers = (await book.currentText(name))?.definition.offers ?? {}
    for (const shortage of await readShortages(database, clock.now(), name, offers)) {
      const { found, mend } = shortageFinding(shortage, name, speech)
      findings.push(shortage.state === 'out' ? wrong('offers', found, mend) : notYet('offers', found, mend))
    }
  }
  return findings
}
