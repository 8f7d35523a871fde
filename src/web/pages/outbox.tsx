import { sql } from 'drizzle-orm'
import { Hono } from 'hono'
import { rows } from '../../database/connect.ts'
import { REASONS, STATES, sentence } from '../../reports/reasons.ts'
import { campaignTitles } from './campaign-titles.ts'
import { OutboxTabs } from './caught.tsx'
import { Coded, Empty, Table } from './parts.tsx'
import { type PagesDependencies, page } from './visit.ts'

const LINES = 100

interface Sent {
  readonly externalId: string | null
  readonly campaign: string
  readonly step: string
  readonly channel: string | null
  readonly state: string
  readonly reason: string | null
  readonly settledAt: Date
}

/** The last messages and what became of each. */
export function outboxPages(dependencies: PagesDependencies): Hono {
  return new Hono().get(
    '/outbox',
    page(dependencies, 'look', async (visit) => {
      const { say, speech, language, now } = visit
      // The month's partition alone is looked into; older messages are in the stories of contacts.
      const since = new Date(now.getTime() - 31 * 86_400_000)
      const found = await rows<Sent>(
        visit.runtime.database,
        sql`SELECT c.external_id AS "externalId", s.campaign, s.step, r.channel, r.state, r.reason, r.settled_at AS "settledAt"
            FROM (SELECT * FROM touchpoint_records WHERE settled_at > ${since} AND settled_at <= ${now}
              ORDER BY settled_at DESC LIMIT ${LINES}) r
            JOIN steps s USING (step_id) LEFT JOIN contacts c USING (contact_id) ORDER BY r.settled_at DESC`,
      )
      const title = say('Outbox', '发件箱')
      const titles = await campaignTitles(
        visit,
        found.map(({ campaign }) => campaign),
      )
      if (found.length === 0) {
        return await visit.show(
          title,
          <>
            <OutboxTabs visit={visit} here="messages" />
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
          </>,
        )
      }
      return await visit.show(
        title,
        <>
          <OutboxTabs visit={visit} here="messages" />
          <div class="card">
            <Table
              label={title}
              columns={[
                { title: say('When', '时间') },
                { title: say('Contact', '联系人') },
                { title: say('What became of it', '结果') },
                { title: say('Channel', '渠道') },
                { title: say('Step', '步骤') },
                { title: say('Campaign', '活动') },
              ]}
              rows={found.map((each) => [
                <time>{speech.moment(each.settledAt)}</time>,
                each.externalId === null ? (
                  ''
                ) : (
                  <a href={`/contacts/${encodeURIComponent(each.externalId)}`}>{each.externalId}</a>
                ),
                `${sentence(STATES, each.state, language)}${each.reason === null ? '' : `${say(': ', '：')}${sentence(REASONS, each.reason, language)}`}`,
                each.channel === null ? '' : speech.channel(each.channel),
                each.step,
                titles.get(each.campaign) ?? each.campaign,
              ])}
            />
          </div>
        </>,
      )
    }),
  )
}
