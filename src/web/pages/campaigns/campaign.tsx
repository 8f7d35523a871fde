import { campaignHistory } from '../../../config/apply.ts'
import { shortHash } from '../../../config/inputs.ts'
import { diffLines } from '../../../config/line-diff.ts'
import { readSwitches } from '../../../config/switches.ts'
import { LONGEST_TYPED } from '../../../config/typed-text.ts'
import { readVersions } from '../../../config/versions.ts'
import { WinbackError } from '../../../errors.ts'
import { switchReason } from '../../../reports/switch-reason.ts'
import { newestPlan } from '../../plans.ts'
import { readRefusedRun } from '../freshness.ts'
import { Act, Coded, Table } from '../parts.tsx'
import { PlanCard } from '../plan/plan.tsx'
import { kept, Refusal, type RefusedForm } from '../refused-form.tsx'
import type { Visit } from '../visit.ts'
import { HeldTogether } from './held.tsx'
import { LadderCard } from './ladder.tsx'

// One campaign: how its files differ, the plan that waits, the ladder that runs, its versions.

export async function showCampaign(
  visit: Visit,
  campaign: string,
  refused?: RefusedForm<'stop'>,
): Promise<Response> {
  const { say, speech, language, runtime, desk } = visit
  const { database } = runtime
  const history = await campaignHistory(database, campaign)
  const files = await desk?.files()
  const file = files?.campaigns.find((each) => each.campaign === campaign)
  if (history.length === 0 && !file) {
    throw new WinbackError(
      'campaign.unknown',
      say(`There is no campaign ${campaign}`, `没有活动 ${campaign}`),
      {
        remedy: say('Go back to the list of campaigns.', '请返回活动列表。'),
      },
    )
  }
  const current = history.find((each) => each.current)
  const versions = await readVersions(database, campaign)
  const running = versions.find((each) => each.version === current?.version)
  const switches = await readSwitches(database)
  const held = switches.find(({ scope, name }) => scope === 'campaign' && name === campaign)
  const plan = await newestPlan(database, campaign)
  const refusedRun = await readRefusedRun(database, campaign, visit.now)
  const text = await runtime.book.currentText(campaign)
  const { tiers = [], on_return: released = [] } = text?.definition ?? {}
  const channels = new Set(
    [...tiers.flatMap(({ steps }) => steps), ...released].flatMap(({ channel }) => channel),
  )
  const path = `/campaigns/${campaign}`
  return await visit.show(
    file?.title ?? campaign,
    <>
      <p>
        <StateTag visit={visit} state={current ? (held?.state ?? null) : 'new'} /> <code>{campaign}</code>{' '}
        {held ? <span class="soft">{switchReason(held.reason, language)}</span> : null}
      </p>
      {current && held?.state !== 'stopped' ? (
        <HeldTogether
          visit={visit}
          switches={switches.filter(({ scope, name }) => scope === 'workspace' || channels.has(name))}
        />
      ) : null}
      {refusedRun === undefined ? null : (
        <p class="note bad">
          <Coded
            text={say(
              `The run of ${speech.moment(refusedRun.at)} was refused and took nobody in: ${refusedRun.why}. Import the missing activity (\`winback import activity FILE\`), or find out why none comes in.`,
              `${speech.moment(refusedRun.at)} 的运行被拒绝，未纳入任何人：活跃数据已中断或明显偏少。请导入缺失的数据（\`winback import activity FILE\`），或查明为何没有新数据。`,
            )}
          />
        </p>
      )}
      {held?.state === 'stopped' ? (
        <p>
          <Coded
            text={say(
              'Nobody is taken in or written to any more; outcomes are counted to the end. To begin anew, copy its file under another `campaign:`.',
              '不再纳入新的人，也不再发送；结果仍统计到底。如需重新开始，请复制活动文件并换一个 `campaign:` 名称。',
            )}
          />
        </p>
      ) : null}
      {current ? (
        <p>
          <a class="button quiet" href={`${path}/reports/monday`}>
            {say('Reports', '报告')}
          </a>
        </p>
      ) : null}
      {visit.may('operate') && current && held?.state !== 'stopped' ? (
        <Switches visit={visit} campaign={campaign} paused={held?.state === 'paused'} refused={refused} />
      ) : null}
      {file !== undefined && file.inputs !== running?.inputs && held?.state !== 'stopped' ? (
        <Changed
          visit={visit}
          path={path}
          before={running?.source}
          after={file.source}
          planned={plan !== undefined}
        />
      ) : null}
      {plan ? await PlanCard({ visit, plan }) : null}
      {text ? await LadderCard({ visit, campaign, text }) : null}
      <Versions visit={visit} history={history} state={held?.state ?? null} />
      <details class="card" open={history.length === 0}>
        <summary>{say('Definition', '定义')}</summary>
        <pre tabindex={0}>{running?.source ?? file?.source ?? ''}</pre>
      </details>
    </>,
    refused === undefined ? 200 : 422,
  )
}

function Changed({
  visit,
  path,
  before,
  after,
  planned,
}: {
  visit: Visit
  path: string
  before: string | undefined
  after: string
  planned: boolean
}) {
  const { say } = visit
  return (
    <div class="card">
      <h2>
        {before === undefined
          ? say('Not applied yet', '尚未应用')
          : say('The files differ from what runs', '文件与运行版本不同')}
      </h2>
      {before === undefined ? null : (
        <Diff
          before={before}
          after={after}
          same={say(
            'The campaign’s text is the same; the workspace or a template changed.',
            '活动文本相同；工作区或模板有改动。',
          )}
        />
      )}
      {visit.may('operate') ? (
        <Act
          visit={visit}
          to={`${path}/plan`}
          words={
            planned
              ? say('Plan it again', '重新计划')
              : say('Plan it: to whom, at what cost', '计划：发给谁、成本多少')
          }
          {...(planned ? { kind: 'quiet' as const } : {})}
        />
      ) : null}
    </div>
  )
}

function Versions({
  visit,
  history,
  state,
}: {
  visit: Visit
  history: Awaited<ReturnType<typeof campaignHistory>>
  state: string | null
}) {
  const { say, speech } = visit
  return (
    <div class="card">
      <h2>{say('Versions', '版本')}</h2>
      {history.length === 0 ? (
        <p class="soft">{say('None yet.', '暂无。')}</p>
      ) : (
        <Table
          label={say('Versions', '版本')}
          columns={[
            { title: say('Version', '版本'), num: true },
            { title: say('When', '时间') },
            { title: say('By', '操作者') },
            { title: say('Hash', '哈希') },
          ]}
          rows={history.map((each) => [
            each.current ? (
              <>
                <StateTag visit={visit} state={state} /> {each.version}
              </>
            ) : (
              String(each.version)
            ),
            <time>{speech.moment(each.appliedAt)}</time>,
            `${each.appliedBy}${each.restores === undefined ? '' : say(` (version ${each.restores} again)`, `（恢复版本 ${each.restores}）`)}`,
            <code>{shortHash(each.inputs)}</code>,
          ])}
        />
      )}
    </div>
  )
}

/** Whether a campaign runs. */
export function StateTag({ visit, state }: { visit: Visit; state: string | null }) {
  const { say } = visit
  if (state === 'new') return <span class="tag">{say('not applied yet', '尚未应用')}</span>
  if (state === 'paused') return <span class="tag bad">{say('paused', '已暂停')}</span>
  if (state === 'stopped') return <span class="tag bad">{say('stopped for good', '已永久停止')}</span>
  return <span class="tag good">{say('runs', '运行中')}</span>
}

function Switches({
  visit,
  campaign,
  paused,
  refused,
}: {
  visit: Visit
  campaign: string
  paused: boolean
  refused: RefusedForm<'stop'> | undefined
}) {
  const { say, form } = visit
  const path = `/campaigns/${campaign}`
  const reason = (typed: RefusedForm | undefined) => (
    <label>
      {say('Why', '原因')}
      <input name="reason" maxlength={LONGEST_TYPED.line} required {...kept(typed, 'reason', form)} />
    </label>
  )
  return (
    <details class="card" open={refused !== undefined}>
      <summary>{paused ? say('Resume or stop', '恢复或停止') : say('Pause or stop', '暂停或停止')}</summary>
      {paused ? (
        <Act visit={visit} to={`${path}/resume`} words={say('Resume', '恢复')} />
      ) : (
        <Act visit={visit} to={`${path}/pause`} words={say('Pause', '暂停')} kind="quiet">
          {reason(undefined)}
        </Act>
      )}
      <Act visit={visit} to={`${path}/stop`} words={say('Stop for good', '永久停止')} kind="danger">
        <Refusal refused={refused} />
        {reason(refused)}
        <label>
          {say(
            `There is no way back. Type ${campaign} to confirm`,
            `此操作无法撤销。请输入 ${campaign} 确认`,
          )}
          <input name="confirm" autocomplete="off" required {...kept(refused, 'confirm', form)} />
        </label>
      </Act>
    </details>
  )
}

function Diff({ before, after, same }: { before: string; after: string; same: string }) {
  const lines = diffLines(before, after)
  if (lines.every(({ kind }) => kind === 'same')) return <p>{same}</p>
  return (
    <pre tabindex={0}>
      {lines.map(({ kind, text }) =>
        kind === 'same' ? `  ${text}\n` : <span class={kind}>{`${kind === 'add' ? '+' : '-'} ${text}`}</span>,
      )}
    </pre>
  )
}
