import { Hono } from 'hono'
import { shortHash } from '../../../config/inputs.ts'
import * as switches from '../../../config/switches.ts'
import { typedText } from '../../../config/typed-text.ts'
import { appliedNames } from '../../../config/versions.ts'
import { transaction } from '../../../database/connect.ts'
import { WinbackError } from '../../../errors.ts'
import { recordStop } from '../../../outcomes/silence.ts'
import { campaignTitles } from '../../../service/campaign-titles.ts'
import { decidePlan, newestPlan, othersMayApprove, type PlanRow, storePlan } from '../../plans.ts'
import { Coded, Empty, Table } from '../parts.tsx'
import { act, type PagesDependencies, page, type Visit } from '../visit.ts'
import { StateTag, showCampaign } from './campaign.tsx'
import { listCampaigns } from './campaign-list.ts'
import { HeldTogether } from './held.tsx'

// Campaigns: what runs, what lies in the files, and the way from the one to the other.

export function campaignPages(dependencies: PagesDependencies): Hono {
  const { runtime, desk } = dependencies
  const { database, clock } = runtime
  const nameOf = (visit: Visit) => visit.c.req.param('campaign') ?? ''
  const back = (visit: Visit, note: string) =>
    visit.go(`/campaigns/${encodeURIComponent(nameOf(visit))}`, note)
  const target = (visit: Visit) => ({ scope: 'campaign', name: nameOf(visit) }) as const
  const reasonOf = (visit: Visit) =>
    typedText(visit.form.get('reason') ?? '', 'line', 'the reason') || visit.user.name

  return new Hono()
    .get('/campaigns', page(dependencies, 'look', showList))
    .get(
      '/campaigns/:campaign',
      page(dependencies, 'look', (visit) => showCampaign(visit, nameOf(visit))),
    )
    .post(
      '/campaigns/:campaign/plan',
      act(dependencies, 'operate', async (visit) => {
        const { say } = visit
        if (!desk)
          return back(visit, say('Campaign files are not on this machine.', '活动文件不在此机器上。'))
        const plan = await desk.plan(nameOf(visit))
        if (!plan.changed)
          return back(visit, say('These very files run already.', '正在运行的就是这些文件。'))
        await transaction(database, async (tx) => {
          await storePlan(tx, plan, visit.user.userId, visit.now)
          await visit.audit(
            'campaign.plan',
            `campaign ${plan.campaign}`,
            { plan: shortHash(plan.inputs) },
            tx,
          )
        })
        return visit.go(`/campaigns/${plan.campaign}#plan`)
      }),
    )
    .post(
      '/campaigns/:campaign/decide',
      act(dependencies, 'operate', async (visit) => {
        const { say, form, user } = visit
        const plan = await newestPlan(database, nameOf(visit))
        const decided = async () => back(visit, decidedText(visit, await newestPlan(database, nameOf(visit))))
        if (!desk || !plan || plan.approved !== null || String(plan.planId) !== form.get('plan')) {
          return await decided()
        }
        const about = `campaign ${plan.campaign}`
        const detail = { plan: shortHash(plan.inputs) }
        if (form.get('do') !== 'approve') {
          const decision = { approved: false, by: user.userId, now: visit.now }
          const rejected = await transaction(database, async (tx) => {
            const first = await decidePlan(tx, plan.planId, decision)
            if (first) await visit.audit('campaign.reject', about, detail, tx)
            return first
          })
          if (!rejected) return await decided()
          return back(visit, say('The plan was turned down; nothing changed.', '计划已退回，未做更改。'))
        }
        if (plan.plannedBy === user.userId && (await othersMayApprove(database, user.userId))) {
          return back(visit, say('Somebody else has to approve it.', '须由他人批准。'))
        }
        const { version } = await desk.apply(
          plan.campaign,
          { inputs: plan.inputs, over: plan.figures.version.current },
          user.name,
        )
        const decision = { approved: true, by: user.userId, now: visit.now, version }
        // Approved twice at once, it was applied once.
        await transaction(database, async (tx) => {
          if (!(await decidePlan(tx, plan.planId, decision))) return
          await visit.audit('campaign.apply', about, { ...detail, version }, tx)
        })
        return back(visit, say(`Version ${version} is what runs from now on.`, `版本 ${version} 现已生效。`))
      }),
    )
    .post(
      '/campaigns/:campaign/pause',
      act(dependencies, 'operate', async (visit) => {
        await assertApplied(visit, nameOf(visit))
        const reason = reasonOf(visit)
        const about = `campaign ${nameOf(visit)}`
        const { outcome } = await switches.pause(database, target(visit), {
          ...{ reason, clock },
          record: (tx) => visit.audit('switch.pause', about, { reason }, tx),
        })
        return back(
          visit,
          outcome === 'changed'
            ? visit.say('Paused, on every machine. What is due waits.', '已在所有机器上暂停，到期消息等待。')
            : visit.say('It was paused already; the reason stays.', '此前已暂停，原因保持不变。'),
        )
      }),
    )
    .post(
      '/campaigns/:campaign/resume',
      act(dependencies, 'operate', async (visit) => {
        const about = `campaign ${nameOf(visit)}`
        const { outcome } = await switches.resume(database, target(visit), {
          record: (tx) => visit.audit('switch.resume', about, null, tx),
        })
        return back(
          visit,
          outcome === 'changed'
            ? visit.say('It goes on.', '已恢复。')
            : visit.say('It was not paused.', '此活动并未暂停。'),
        )
      }),
    )
    .post(
      '/campaigns/:campaign/stop',
      act(dependencies, 'operate', async (visit) => {
        const campaign = nameOf(visit)
        await assertApplied(visit, campaign)
        if (visit.form.get('confirm')?.trim() !== campaign) {
          const words = visit.say('Not stopped: the name was not typed.', '未停止：没有输入活动名称。')
          return await showCampaign(visit, campaign, { form: 'stop', field: 'confirm', words })
        }
        const reason = reasonOf(visit)
        await switches.stop(database, target(visit), {
          ...{ reason, clock },
          record: (tx) => visit.audit('switch.stop', `campaign ${campaign}`, { reason }, tx),
        })
        const cancelled = await recordStop(database, visit.now, campaign)
        return back(
          visit,
          visit.say(
            `Stopped for good; ${cancelled === 1 ? '1 planned message was' : `${cancelled} planned messages were`} cancelled.`,
            `已永久停止，取消 ${cancelled} 条消息。`,
          ),
        )
      }),
    )
}

/** Why a plan is not decided upon: it was before, as by a press of another tab, or is the newest no more. */
function decidedText({ say, form }: Visit, newest: PlanRow | undefined): string {
  if (newest && newest.approved !== null && String(newest.planId) === form.get('plan')) {
    return newest.approved
      ? say(`${newest.decider} had approved this plan already.`, `${newest.decider} 此前已批准此计划。`)
      : say(`${newest.decider} had turned this plan down already.`, `${newest.decider} 此前已退回此计划。`)
  }
  return say('There is another plan by now; look at it first.', '已有新的计划，请先查看。')
}

async function assertApplied({ runtime, say }: Visit, campaign: string): Promise<void> {
  if ((await appliedNames(runtime.database)).includes(campaign)) return
  throw new WinbackError(
    'campaign.unknown',
    say(`No campaign ${campaign} was ever applied`, `从未应用过活动 ${campaign}`),
  )
}

async function showList(visit: Visit): Promise<Response> {
  const { say, speech, runtime, desk } = visit
  const found = await listCampaigns(runtime.database)
  const files = await desk?.files()
  const fresh =
    files?.campaigns.filter(({ campaign }) => !found.some((each) => each.campaign === campaign)) ?? []
  const title = say('Campaigns', '活动')
  const titles = await campaignTitles(
    visit.runtime,
    found.map(({ campaign }) => campaign),
  )
  const link = (campaign: string, words: string | undefined) => (
    <>
      <a href={`/campaigns/${campaign}`}>{words}</a>
      {words === campaign ? null : <small class="under">{campaign}</small>}
    </>
  )
  return await visit.show(
    title,
    <>
      <Problems visit={visit} problems={files?.problems ?? []} />
      <HeldTogether visit={visit} switches={await switches.readSwitches(runtime.database)} />
      {found.length === 0 ? null : (
        <div class="card">
          <Table
            label={title}
            columns={[
              { title: say('Campaign', '活动') },
              { title: say('State', '状态') },
              { title: say('Version', '版本'), num: true },
              { title: say('Since', '自') },
              { title: say('People under way', '进行中人数'), num: true },
            ]}
            rows={found.map((each) => [
              link(each.campaign, titles.get(each.campaign)),
              <>
                <StateTag visit={visit} state={each.state} />{' '}
                {each.state !== 'stopped' &&
                files?.campaigns.some(
                  ({ campaign, inputs }) => campaign === each.campaign && inputs !== each.inputs,
                ) ? (
                  <span class="tag">{say('files differ', '文件有改动')}</span>
                ) : null}
              </>,
              String(each.version),
              <time>{speech.moment(each.appliedAt)}</time>,
              each.more ? atLeast(visit, each.people) : speech.count(each.people),
            ])}
          />
        </div>
      )}
      {fresh.length === 0 ? null : (
        <div class="card">
          <h2>{say('In the files, never applied', '文件中尚未应用')}</h2>
          <ul>
            {fresh.map(({ campaign, title: words }) => (
              <li>{link(campaign, words)}</li>
            ))}
          </ul>
        </div>
      )}
      {found.length + fresh.length > 0 ? null : (
        <Empty title={say('There is no campaign yet', '尚无活动')}>
          <p>
            {say(
              'Put a file into the folder of campaigns; this command writes one to begin with:',
              '请在活动目录中放入文件；以下命令可生成一份起始文件：',
            )}{' '}
            <code>winback init</code>
          </p>
        </Empty>
      )}
    </>,
  )
}

function atLeast({ say, speech }: Visit, number: number): string {
  return say(`at least ${speech.count(number)}`, `至少 ${speech.count(number)}`)
}

function Problems({
  visit,
  problems,
}: {
  visit: Visit
  problems: readonly { where: string; message: string; severity: string }[]
}) {
  if (problems.length === 0) return null
  return (
    <div class={problems.some(({ severity }) => severity === 'error') ? 'note bad' : 'note'}>
      <strong>{visit.say('The files say something that needs a look', '文件中有需要查看之处')}</strong>
      <ul>
        {problems.map(({ where, message }) => (
          <li>
            <code>{where}</code> <Coded text={message} />
          </li>
        ))}
      </ul>
    </div>
  )
}
