import { channelsSetUp, registerChannels } from '../../../channels/channels.ts'
import { consentStates } from '../../../contacts/consent.ts'
import { findContact } from '../../../contacts/external-ids.ts'
import { readChoice } from '../../../contacts/preferences.ts'
import { type Listing, voicesOf } from '../../../database/listings.ts'
import { wishesText } from '../../../reports/timeline/dealings-text.ts'
import { entryText } from '../../../reports/timeline/timeline-text.ts'
import { countSharing } from '../../../service/privacy.ts'
import { readStory } from '../../../service/reporting.ts'
import type { Runtime } from '../../../service/runtime.ts'
import { Act } from '../parts.tsx'
import { kept, Refusal, type RefusedForm } from '../refused-form.tsx'
import { Story } from '../story.tsx'
import type { Visit } from '../visit.ts'

// One contact's page: their story, what they allow, and what may be done about them. Addresses are masked unless the role may
// see them.

/** What the form of a contact asks about: every channel at once (`*`), and each that reaches people. */
export function channelsToRefuse({ workspace }: Runtime): string[] {
  return ['*', ...channelsSetUp(registerChannels(workspace)).filter((name) => name !== 'log')]
}

const NO_LIMIT = { atMost: null, withinDays: null }

/** @param refused the form of an erasure that was not done, with what was typed */
export async function showContact(
  visit: Visit,
  externalId: string,
  refused?: RefusedForm<'erase'>,
): Promise<Response> {
  const { say, now, runtime, speech } = visit
  const { database } = runtime
  const unmasked = visit.may('see_addresses')
  const story = await readStory(runtime, { externalId, now, unmasked })
  const contactId = await findContact(database, externalId)
  const choice = await readChoice(database, contactId, now)
  const consents = await consentStates(database, contactId, now)
  const { contact } = story
  const path = `/contacts/${encodeURIComponent(externalId)}`
  const facts = [contact.email, contact.phone, contact.locale, contact.timezone].filter(
    (part) => part !== null,
  )
  const named = (name: string) => (name === '*' ? say('any channel', '任何渠道') : visit.speech.channel(name))
  return await visit.show(
    externalId,
    <>
      <p class="soft">{facts.join(' · ')}</p>
      {contact.siblings.length === 0 ? null : (
        <p>
          {say('The same person as', '同一个人：')}{' '}
          {contact.siblings.map((id) => (
            <>
              <a href={`/contacts/${encodeURIComponent(id)}`}>{id}</a>{' '}
            </>
          ))}
        </p>
      )}
      <div class="card">
        <h2>{say('The story', '经过')}</h2>
        <Story visit={visit} entries={story.entries} />
      </div>
      <div class="card">
        <h2>{say('What they want', '接收意愿')}</h2>
        {consents.length === 0 ? null : (
          <p>
            {consents
              .map(
                ({ channel, state }) =>
                  `${named(channel)}${say(': ', '：')}${state === 'given' ? say('agreed', '已同意') : say('withdrawn', '已撤回')}`,
              )
              .join(' · ')}
          </p>
        )}
        <p>
          {choice === undefined
            ? say(
                'They have not limited channels, topics or frequency.',
                '本人未设置接收偏好（渠道、主题、频率）。',
              )
            : wishesText({ ...choice, ...(choice.frequency ?? NO_LIMIT) }, speech)}
        </p>
        {story.entries
          .filter((entry) => entry.kind === 'suppressed')
          .map((entry) => (
            <>
              <p class="note">
                {entryText(entry, speech)}{' '}
                {say('Nothing is sent there, whatever they want.', '无论本人是否愿意接收，都不会向其发送。')}
              </p>
              <Mistaken visit={visit} path={path} listing={entry} />
            </>
          ))}
        {visit.may('change_preferences') ? (
          <Act
            visit={visit}
            to={`${path}/preferences`}
            words={say('Record', '登记')}
            kind="quiet"
            fields={{ was: choice?.channelsOff.join(' ') ?? '' }}
          >
            <fieldset>
              <legend>{say('Nothing by', '不接收')}</legend>
              {channelsToRefuse(runtime).map((name) => (
                <label class="tick">
                  <input
                    type="checkbox"
                    name="off"
                    value={name}
                    checked={choice?.channelsOff.includes(name) ?? false}
                  />
                  {named(name)}
                </label>
              ))}
            </fieldset>
          </Act>
        ) : null}
      </div>
      {visit.may('privacy') ? (
        <Privacy
          visit={visit}
          path={path}
          externalId={externalId}
          sharing={await countSharing(database, externalId)}
          refused={refused}
        />
      ) : null}
    </>,
    refused === undefined ? 200 : 422,
  )
}

/** What takes an address off the list, where nobody but a file, or a mailbox, has put it there. */
function Mistaken({
  visit,
  path,
  listing,
}: {
  visit: Visit
  path: string
  listing: Listing & { readonly address: 'email' | 'phone' }
}) {
  const { say } = visit
  const by = new Set(voicesOf(listing).map((voice) => voice.by))
  const bounced = by.delete('bounce')
  by.delete('import')
  if (by.size > 0 || !visit.may('operate')) return null
  return (
    <Act
      visit={visit}
      to={`${path}/allow`}
      words={
        bounced
          ? say('It is mended: take it off the list', '已修复，移出名单')
          : say('A mistake: take it off the list', '误加，移出名单')
      }
      kind="quiet"
      fields={{ kind: listing.address, ...(bounced ? { bounced: 'yes' } : {}) }}
    />
  )
}

function Privacy({
  visit,
  path,
  externalId,
  sharing,
  refused,
}: {
  visit: Visit
  path: string
  externalId: string
  sharing: number
  refused: RefusedForm<'erase'> | undefined
}) {
  const { say } = visit
  return (
    <details class="card" open={refused !== undefined}>
      <summary>{say('Export or erase', '导出或删除')}</summary>
      <div class="row">
        <Act visit={visit} to={`${path}/export`} words="JSON" kind="quiet" fields={{ format: 'json' }} />
        <Act visit={visit} to={`${path}/export`} words="CSV" kind="quiet" fields={{ format: 'csv' }} />
      </div>
      {sharing > 0 ? (
        <p>
          {say(
            sharing === 1
              ? '1 other account of the same person stays.'
              : `${sharing} other accounts of the same person stay.`,
            `同一人的另外 ${sharing} 个账号将保留。`,
          )}
        </p>
      ) : null}
      <Act visit={visit} to={`${path}/erase`} words={say('Erase for good', '永久删除')} kind="danger">
        <Refusal refused={refused} />
        <label>
          {say(
            `There is no way back. Type ${externalId} to confirm`,
            `此操作无法撤销。请输入 ${externalId} 确认`,
          )}
          <input name="confirm" autocomplete="off" required {...kept(refused, 'confirm', visit.form)} />
        </label>
      </Act>
    </details>
  )
}
