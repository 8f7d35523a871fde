import { Hono } from 'hono'
import { REASONS, STATES, WAITS } from '../../../reports/reasons.ts'
import { type Speech, sentence } from '../../../reports/words.ts'
import { campaignTitles } from '../../../service/campaign-titles.ts'
import { chosen } from '../chosen.ts'
import { Coded, Empty, Table } from '../parts.tsx'
import { type PagesDependencies, page, type Visit } from '../visit.ts'
import { OutboxTabs } from './caught.tsx'
import {
  OUTBOX_LINES,
  OUTBOX_PARTS,
  type OutboxChoice,
  type OutboxLine,
  type OutboxPart,
  readOutbox,
  readOutboxChoices,
} from './outbox-lines.ts'

const PARTS = Object.keys(OUTBOX_PARTS) as OutboxPart[]

const PART_WORDS: Readonly<Record<OutboxPart, readonly [en: string, zh: string]>> = {
  sent: ['Sent', '已发送'],
  failed: ['Failed or unknown', '失败或未知'],
  skipped: ['Not sent', '未发送'],
  coming: ['To come', '待发送'],
}

/** The last messages and what became of each, or the next; by what became of them, by campaign and by channel. */
export function outboxPages(dependencies: PagesDependencies): Hono {
  return new Hono().get(
    '/outbox',
    page(dependencies, 'look', async (visit) => {
      const { say, now } = visit
      const { database } = visit.runtime
      const there = await readOutboxChoices(database)
      const choice: OutboxChoice = {
        what: chosen(visit, 'what', PARTS),
        campaign: chosen(visit, 'campaign', there.campaigns),
        channel: chosen(visit, 'channel', there.channels),
      }
      const found = await readOutbox(database, choice, now)
      const titles = await campaignTitles(visit.runtime, there.campaigns)
      return await visit.show(
        say('Outbox', '发件箱'),
        <>
          <OutboxTabs visit={visit} here="messages" />
          <Choices visit={visit} choice={choice} there={there} titles={titles} />
          {found.length === 0 ? (
            <Nothing visit={visit} choice={choice} />
          ) : (
            <Lines visit={visit} coming={choice.what === 'coming'} found={found} titles={titles} />
          )}
        </>,
      )
    }),
  )
}

/** A row of links for each thing to choose by; each keeps the other choices. */
function Choices(props: {
  visit: Visit
  choice: OutboxChoice
  there: { readonly campaigns: readonly string[]; readonly channels: readonly string[] }
  titles: ReadonlyMap<string, string>
}) {
  const { visit, choice, there, titles } = props
  const { say, speech } = visit
  const rows = [
    {
      by: 'what',
      label: say('What became of it', '结果'),
      all: say('All that ended', '全部已结束'),
      names: PARTS.map((part) => [part, say(...PART_WORDS[part])] as const),
    },
    {
      by: 'campaign',
      label: say('Campaign', '活动'),
      all: say('All campaigns', '全部活动'),
      names: there.campaigns.map((name) => [name, titles.get(name) ?? name] as const),
    },
    {
      by: 'channel',
      label: say('Channel', '渠道'),
      all: say('All channels', '全部渠道'),
      names: there.channels.map((name) => [name, speech.channel(name)] as const),
    },
  ] as const
  return rows
    .filter(({ names }) => names.length > 1)
    .map(({ by, label, all, names }) => {
      const links = [[undefined, all] as const, ...names]
      const row = (
        <nav class="tabs choices" aria-label={label}>
          {links.map(([name, words]) => (
            <a
              href={hrefOf({ ...choice, [by]: name })}
              aria-current={choice[by] === name ? 'page' : undefined}
            >
              {words}
            </a>
          ))}
        </nav>
      )
      if (names.length <= MANY) return row
      return (
        <details class="folded">
          <summary>
            {label}
            {say(': ', '：')}
            {links.find(([name]) => name === choice[by])?.[1]}
          </summary>
          {row}
        </details>
      )
    })
}

/** Links of a row that is shown at once; more would stand before the messages themselves. */
const MANY = 12

function hrefOf(choice: OutboxChoice): string {
  const asked = Object.entries(choice).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return asked.length === 0 ? '/outbox' : `/outbox?${new URLSearchParams(asked)}`
}

/** Nothing of what was chosen, or nothing at all. */
function Nothing({ visit, choice }: { visit: Visit; choice: OutboxChoice }) {
  const { say } = visit
  if (hrefOf(choice) !== '/outbox') {
    return (
      <Empty
        title={
          choice.what === 'coming'
            ? say('Nothing like that is to come', '没有符合条件的待发送消息')
            : say('Nothing like that in the last month', '近一个月没有符合条件的消息')
        }
      >
        <p>
          <a href="/outbox">{say('Show every message', '查看全部消息')}</a>
        </p>
      </Empty>
    )
  }
  return (
    <Empty title={say('Nothing went out in the last month', '近一个月没有发出消息')}>
      <p>
        <Coded
          text={say(
            'A campaign sends once it is approved and `winback start` runs. See what a message looks like under',
            '活动获批且 `winback start` 运行后才会发送。消息样式见',
          )}
        />{' '}
        <a href="/templates">{say('Templates', '模板')}</a>
      </p>
    </Empty>
  )
}

function Lines(props: {
  visit: Visit
  coming: boolean
  found: readonly OutboxLine[]
  titles: ReadonlyMap<string, string>
}) {
  const { visit, coming, found, titles } = props
  const { say, speech } = visit
  return (
    <div class="card">
      {found.length < OUTBOX_LINES ? null : (
        <p class="soft">
          {coming
            ? say(`The next ${OUTBOX_LINES}.`, `最近将发送的 ${OUTBOX_LINES} 条。`)
            : say(`The last ${OUTBOX_LINES}.`, `最近 ${OUTBOX_LINES} 条。`)}
        </p>
      )}
      <Table
        label={say('Outbox', '发件箱')}
        columns={[
          { title: coming ? say('Due', '预定时间') : say('When', '时间') },
          { title: say('Contact', '联系人') },
          { title: coming ? say('How it stands', '状态') : say('What became of it', '结果') },
          { title: say('Channel', '渠道') },
          { title: say('Step', '步骤') },
          { title: say('Campaign', '活动') },
        ]}
        rows={found.map((each) => [
          <time datetime={each.at.toISOString()}>{speech.moment(each.at)}</time>,
          each.externalId === null ? (
            ''
          ) : (
            <a href={`/contacts/${encodeURIComponent(each.externalId)}`}>{each.externalId}</a>
          ),
          stateText(each, speech),
          each.channels.map(speech.channel).join(say(' or ', '或')),
          each.step,
          titles.get(each.campaign) ?? each.campaign,
        ])}
      />
    </div>
  )
}

function stateText({ state, reason, deferral }: OutboxLine, { language }: Speech): string {
  const colon = language === 'en' ? ': ' : '：'
  // What it waits for says that it waits.
  if (deferral !== null) return sentence(WAITS, deferral, language)
  return `${sentence(STATES, state, language)}${reason === null ? '' : `${colon}${sentence(REASONS, reason, language)}`}`
}
