import { Hono } from 'hono'
import { MASKED, UNMASKED } from '../../../config/masking.ts'
import { findContact } from '../../../contacts/external-ids.ts'
import { ANYTHING, momentOfChoice, readChoice, recordChoice } from '../../../contacts/preferences.ts'
import { exportContact, exportCsv } from '../../../contacts/privacy/export.ts'
import { transaction } from '../../../database/connect.ts'
import { lockPersons } from '../../../database/person-locks.ts'
import { allowContact } from '../../../service/allowing.ts'
import { campaignTitles } from '../../../service/campaign-titles.ts'
import { eraseEverywhere } from '../../../service/privacy.ts'
import { refusedAfter, tickedByNow } from '../boxes.ts'
import { downloadCsv } from '../csv-download.ts'
import { Empty, Table } from '../parts.tsx'
import { act, type PagesDependencies, page, type Visit } from '../visit.ts'
import { channelsToRefuse, showContact } from './contact.tsx'
import { MOST_FOUND, searchContacts } from './contact-search.ts'

// Contacts: found by id or whole address, told about, and what they ask for recorded. Addresses are masked unless the
// role may see them.

export function contactPages(dependencies: PagesDependencies): Hono {
  const { runtime } = dependencies
  const { database } = runtime
  const idOf = (visit: Visit) => visit.c.req.param('contact') ?? ''
  const home = (visit: Visit) => `/contacts/${encodeURIComponent(idOf(visit))}`
  return new Hono()
    .get('/contacts', page(dependencies, 'look', showSearch))
    .get(
      '/contacts/:contact',
      page(dependencies, 'look', (visit) => showContact(visit, idOf(visit))),
    )
    .post(
      '/contacts/:contact/preferences',
      act(dependencies, 'change_preferences', async (visit) => {
        const { form, now, say } = visit
        const contactId = await findContact(database, idOf(visit))
        const shown = channelsToRefuse(runtime)
        await transaction(database, async (tx) => {
          await lockPersons(tx, [contactId])
          const at = await momentOfChoice(tx, contactId, now)
          const held = (await readChoice(tx, contactId, at)) ?? ANYTHING
          const { topicsOff, frequency, pausedUntil } = held
          const stands = new Set(held.channelsOff)
          const was = form.get('was')
          const refused = tickedByNow(shown, {
            ticked: new Set(form.getAll('off')),
            shown: was === null ? stands : new Set(was.split(' ')),
            held: stands,
          })
          const wanted = new Set(shown.filter((name) => !refused.has(name)))
          const off = refusedAfter(held.channelsOff, shown, wanted)
          const source = `web, ${visit.user.name}`
          const chosen = { channelsOff: off, topicsOff, frequency, pausedUntil, source }
          await recordChoice(tx, contactId, chosen, { now: at, hooks: runtime.hooks })
          await visit.audit('contact.preferences', `contact ${contactId}`, { off }, tx)
        })
        return visit.go(
          home(visit),
          say('Recorded. It holds before the next send.', '已登记，下次发送前生效。'),
        )
      }),
    )
    .post(
      '/contacts/:contact/allow',
      act(dependencies, 'operate', async (visit) => {
        const contactId = await findContact(database, idOf(visit))
        const kind = visit.form.get('kind') === 'phone' ? 'phone' : 'email'
        const { became } = await allowContact(runtime, contactId, kind, {
          bounced: visit.form.get('bounced') === 'yes',
          record: (tx) => visit.audit('contact.allow', `contact ${contactId}`, { kind }, tx),
        })
        return visit.go(
          home(visit),
          became === 'absent'
            ? visit.say('It was not on the do-not-contact list any more.', '该地址已不在禁止联系名单中。')
            : visit.say(
                'Taken off the do-not-contact list. What was skipped meanwhile stays skipped.',
                '已移出禁止联系名单。期间跳过的消息不会补发。',
              ),
        )
      }),
    )
    .post(
      '/contacts/:contact/export',
      act(dependencies, 'privacy', async (visit) => {
        const contactId = await findContact(database, idOf(visit))
        const held = await exportContact(database, contactId, runtime.workspace)
        await visit.audit('contact.export', `contact ${contactId}`)
        if (visit.form.get('format') === 'csv') return downloadCsv(visit.c, 'contact', exportCsv(held))
        visit.c.header('Content-Disposition', 'attachment; filename="contact.json"')
        return visit.c.json(held)
      }),
    )
    .post(
      '/contacts/:contact/erase',
      act(dependencies, 'privacy', async (visit) => {
        const { say } = visit
        const id = idOf(visit)
        if (visit.form.get('confirm')?.trim() !== id) {
          const words = say('Nothing was erased: the id was not typed.', '未删除：没有输入编号。')
          return await showContact(visit, id, { form: 'erase', field: 'confirm', words })
        }
        const contactId = await findContact(database, id)
        const erasure = await eraseEverywhere(runtime, id, (tx) =>
          visit.audit('contact.erase', `contact ${contactId}`, null, tx),
        )
        return visit.go(
          '/contacts',
          say(
            'Erased. Counts of reports stay; nothing leads back to the person.',
            '已删除。报告人数保留，但无法再追溯到本人。',
          ) + elsewhereText(visit, erasure?.files.elsewhere ?? []),
        )
      }),
    )
}

/** Of paths in a note, which is a cookie: so many characters as it is written there. */
const NOTED_PATHS = 600

/** Reject files that an erasure could not look into: a web process is seldom where imports run. */
function elsewhereText({ say }: Visit, files: readonly string[]): string {
  if (files.length === 0) return ''
  let room = NOTED_PATHS
  const named = files.filter((file) => {
    room -= encodeURIComponent(file).length
    return room >= 0
  })
  const rest = files.length - named.length
  const list = named.join(say(', ', '、'))
  const all = say(rest === 1 ? '1 file' : `${rest} files`, `${rest} 个文件`)
  const more = rest === 0 ? '' : named.length === 0 ? all : say(` and ${rest} more`, `等 ${files.length} 个`)
  const where =
    rest === 0 ? '' : say(' (`reject_file` in the table `imports`)', '（见表 `imports` 的 `reject_file`）')
  return say(
    ` Not on this machine, look into them where the imports ran: ${list}${more}${where}.`,
    `以下文件不在本机，请在执行导入的机器上检查：${list}${more}${where}。`,
  )
}

async function showSearch(visit: Visit): Promise<Response> {
  const { say, speech } = visit
  const words = visit.c.req.query('q')?.trim() ?? ''
  const found = await searchContacts(visit.runtime, words)
  const mask = visit.may('see_addresses') ? UNMASKED : MASKED
  const title = say('Contacts', '联系人')
  const titles = await campaignTitles(
    visit.runtime,
    found.flatMap(({ campaigns }) => campaigns),
  )
  return await visit.show(
    title,
    <>
      <form method="get" action="/contacts" class="row">
        <label>
          {say(
            'Id or how it begins, or a whole e-mail address or number',
            '编号（可只输开头），或完整的邮箱、手机号',
          )}
          <input name="q" value={words} autocomplete="off" autofocus />
        </label>
        <button type="submit">{say('Search', '查找')}</button>
      </form>
      {found.length > 0 ? (
        <div class="card">
          <Table
            label={title}
            columns={[
              { title: say('Id', '编号') },
              { title: say('E-mail', '邮箱') },
              { title: say('Telephone', '电话') },
              { title: say('Last active', '最近活跃') },
              { title: say('Under way in', '所在活动') },
            ]}
            rows={found.map((each) => [
              <a href={`/contacts/${encodeURIComponent(each.externalId)}`}>{each.externalId}</a>,
              each.email === null ? '' : mask.email(each.email),
              each.phone === null ? '' : <span class="unbroken">{mask.phone(each.phone)}</span>,
              each.lastActive === null ? '' : <time>{speech.date(each.lastActive)}</time>,
              each.campaigns.map((name) => titles.get(name)).join(say(', ', '、')),
            ])}
          />
          {found.length < MOST_FOUND ? null : (
            <p class="soft">
              {say(
                `These are the first ${MOST_FOUND}; type more of the id to find the others.`,
                `仅显示前 ${MOST_FOUND} 位，输入更多编号可找到其他人。`,
              )}
            </p>
          )}
        </div>
      ) : words === '' ? (
        <Empty title={say('There are no contacts yet', '尚无联系人')}>
          <p>
            {say('Bring them in from a file:', '从文件导入：')} <code>winback import contacts FILE</code>
          </p>
        </Empty>
      ) : (
        <Empty title={say('Nobody is found by that', '没有找到')}>
          <p>
            {say(
              'An id may be cut short; an address or a number has to be whole.',
              '编号可只输入开头，邮箱与手机号需完整。',
            )}
          </p>
        </Empty>
      )}
    </>,
  )
}
