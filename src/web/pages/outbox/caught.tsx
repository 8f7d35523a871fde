import { Hono } from 'hono'
import type { CaughtMail } from '../../../channels/email/catcher.ts'
import { Empty, Table } from '../parts.tsx'
import { MESSAGE_POLICY } from '../templates.tsx'
import { type PagesDependencies, page, type Visit } from '../visit.ts'

// What `winback start --catch-mail` has caught: mails as their readers would see them. They hold names and addresses,
// so they are for those who may see them. The message stands in a frame without scripts and without a way out.

export function caughtPages(dependencies: PagesDependencies): Hono {
  const { caught } = dependencies
  const mailOf = (visit: Visit) => caught?.find(Number(visit.c.req.param('no')))
  const gone = (visit: Visit) =>
    visit.go(
      '/outbox/mails',
      visit.say('That mail was let go: the newest are kept.', '该邮件已不再保留，仅保留最新的。'),
    )
  return new Hono()
    .get('/outbox/mails', page(dependencies, 'see_addresses', showMails))
    .get(
      '/outbox/mails/:no',
      page(dependencies, 'see_addresses', async (visit) => {
        const mail = mailOf(visit)
        return mail ? await showMail(visit, mail) : gone(visit)
      }),
    )
    .get(
      '/outbox/mails/:no/message',
      page(dependencies, 'see_addresses', async (visit) => {
        const mail = mailOf(visit)
        if (!mail) return gone(visit)
        visit.c.header('Content-Security-Policy', MESSAGE_POLICY)
        return visit.c.html(mail.html ?? '')
      }),
    )
}

/** Between what became of every message and the mails themselves. */
export function OutboxTabs({ visit, here }: { visit: Visit; here: 'messages' | 'mails' }) {
  const { say } = visit
  if (!visit.may('see_addresses')) return null
  return (
    <nav class="tabs" aria-label={say('Outbox', '发件箱')}>
      <a href="/outbox" aria-current={here === 'messages' ? 'page' : undefined}>
        {say('Every message', '全部消息')}
      </a>
      <a href="/outbox/mails" aria-current={here === 'mails' ? 'page' : undefined}>
        {say('Caught mails', '截获的邮件')}
      </a>
    </nav>
  )
}

async function showMails(visit: Visit): Promise<Response> {
  const { say, speech, caught } = visit
  const title = say('Outbox', '发件箱')
  const mails = caught?.list() ?? []
  return await visit.show(
    title,
    <>
      <OutboxTabs visit={visit} here="mails" />
      {caught === undefined ? (
        <Empty title={say('Mails are not caught', '未截获邮件')}>
          <p>
            {say(
              'To see mails here instead of sending them, while you develop:',
              '开发时如需在此查看邮件而不真正发送：',
            )}{' '}
            <code>winback start --catch-mail</code>
          </p>
        </Empty>
      ) : mails.length === 0 ? (
        <Empty title={say('No mail was caught yet', '尚未截获邮件')}>
          <p>
            {say(
              'Whatever is sent stands here, and goes nowhere. To try:',
              '发送的邮件会出现在这里，不会真正发出。试试：',
            )}{' '}
            <code>winback test-send CAMPAIGN STEP --to me@example.com</code>
          </p>
        </Empty>
      ) : (
        <div class="card">
          <p class="soft">
            {say(
              `${speech.count(caught.count())} caught since this process began; nothing was sent on.`,
              `本进程启动以来共截获 ${speech.count(caught.count())} 封，均未发出。`,
            )}
          </p>
          <Table
            label={title}
            columns={[
              { title: say('Subject', '主题') },
              { title: say('To', '收件人') },
              { title: say('When', '时间') },
            ]}
            rows={mails.map((mail) => [
              <a href={`/outbox/mails/${mail.no}`}>{mail.subject || say('without a subject', '无主题')}</a>,
              mail.to.join(', '),
              <time datetime={mail.at.toISOString()}>{speech.moment(mail.at)}</time>,
            ])}
          />
        </div>
      )}
    </>,
  )
}

async function showMail(visit: Visit, mail: CaughtMail): Promise<Response> {
  const { say, speech } = visit
  const phone = visit.c.req.query('width') === 'phone'
  return await visit.show(
    mail.subject || say('without a subject', '无主题'),
    <>
      <p class="soft">
        {mail.from} → {mail.to.join(', ')} · {speech.moment(mail.at)}
      </p>
      <nav class="tabs" aria-label={say('Width', '宽度')}>
        <a href={`/outbox/mails/${mail.no}`} aria-current={phone ? undefined : 'page'}>
          {say('Desktop', '桌面')}
        </a>
        <a href={`/outbox/mails/${mail.no}?width=phone`} aria-current={phone ? 'page' : undefined}>
          {say('Phone', '手机')}
        </a>
        <a href="/outbox/mails">{say('All mails', '全部邮件')}</a>
      </nav>
      {mail.html === undefined ? null : (
        <iframe
          sandbox=""
          title={say('The message', '邮件内容')}
          class={phone ? 'phone' : undefined}
          src={`/outbox/mails/${mail.no}/message`}
        />
      )}
      <details open={mail.html === undefined}>
        <summary>{say('As plain text', '纯文本')}</summary>
        <p class="paper">{mail.text ?? say('It has none.', '无纯文本。')}</p>
      </details>
      <details>
        <summary>{say('Headers', '邮件头')}</summary>
        <Table
          label={say('Headers', '邮件头')}
          columns={[{ title: say('Name', '名称') }, { title: say('Value', '值') }]}
          rows={mail.headers.map(({ name, value }) => [
            <code>{name}</code>,
            <span class="mono wrap">{value}</span>,
          ])}
        />
      </details>
    </>,
  )
}
