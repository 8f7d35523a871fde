import { Hono } from 'hono'
import { WinbackError } from '../../errors.ts'
import { sentence } from '../../reports/words.ts'
import { readAudit } from '../audit.ts'
import { AUDIT_WORDS, aboutText, detailText, VIA_WORDS } from './audit-words.ts'
import { Empty, Table } from './parts.tsx'
import { type PagesDependencies, page, type Visit } from './visit.ts'

const LINES = 100

/** The entry from which the page goes on. @throws WinbackError `choice.unknown` where the address names none */
function beforeOf({ c, say }: Visit): number | undefined {
  const asked = c.req.query('before')
  if (asked === undefined) return undefined
  const before = /^\d+$/.test(asked) ? Number(asked) : 0
  if (Number.isSafeInteger(before) && before > 0) return before
  throw new WinbackError(
    'choice.unknown',
    say(`No entry has the number "${asked}"`, `没有编号为“${asked}”的记录`),
    {
      remedy: say('Open Audit from its beginning.', '请从头打开“操作记录”。'),
    },
  )
}

/** Who changed what, newest first. */
export function auditPages(dependencies: PagesDependencies): Hono {
  return new Hono().get(
    '/audit',
    page(dependencies, 'see_audit', async (visit) => {
      const { say, speech, language } = visit
      const before = beforeOf(visit)
      const entries = await readAudit(visit.runtime.database, { before, limit: LINES })
      const last = entries.length === LINES ? entries.at(-1)?.auditId : undefined
      const title = say('Audit', '操作记录')
      if (entries.length === 0) {
        return await visit.show(
          title,
          <Empty title={say('Nothing was changed yet', '尚无任何更改')}>
            <p>
              {say(
                'Whoever plans, approves, pauses, erases or makes a key stands here, with time and place.',
                '计划、批准、暂停、删除或创建密钥的人、时间与来源都会记录在这里。',
              )}
            </p>
          </Empty>,
        )
      }
      return await visit.show(
        title,
        <div class="card">
          <Table
            label={title}
            columns={[
              { title: say('When', '时间') },
              { title: say('Who', '操作者') },
              { title: say('What', '操作') },
              { title: say('About', '对象') },
              { title: say('From', '来源') },
            ]}
            rows={entries.map((entry) => [
              <time datetime={entry.at.toISOString()}>{speech.moment(entry.at)}</time>,
              entry.actor,
              <>
                {sentence(AUDIT_WORDS, entry.action, language)}{' '}
                <small>{detailText(entry.detail, language)}</small>
              </>,
              aboutText(entry.about, language),
              `${sentence(VIA_WORDS, entry.via, language)}${entry.address === null ? '' : ` · ${entry.address}`}`,
            ])}
          />
          {last === undefined ? null : <a href={`/audit?before=${last}`}>{say('Earlier', '更早')}</a>}
        </div>,
      )
    }),
  )
}
