import { Hono } from 'hono'
import { html } from 'hono/html'
import { WinbackError } from '../../errors.ts'
import type { CampaignFile, StepPreview } from '../desk.ts'
import { chosen as chosenOf } from './chosen.ts'
import { Coded, Empty } from './parts.tsx'
import { refusalWords } from './refusal-words.ts'
import { entered, Refusal, type RefusedForm } from './refused-form.tsx'
import { type PagesDependencies, page, type Visit } from './visit.ts'

// What a step says, for any contact, in each language, on a phone and in the dark. The message itself stands in a
// frame of its own, without scripts and without a way out: a template may hold anything.

/** What a message may do in its frame: show itself, with the pictures it brings along. */
export const MESSAGE_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"

/** Steps looked at for one that has something to show. */
const TRIED = 6

type Step = CampaignFile['steps'][number] & Pick<CampaignFile, 'campaign' | 'title'>

export function templatePages(dependencies: PagesDependencies): Hono {
  const { desk } = dependencies
  const preview = (visit: Visit, campaign: string, step: string, variant: string | undefined) => {
    const { contact, locale } = wantedOf(visit)
    const unmasked = visit.may('see_addresses')
    return desk?.preview(campaign, step, { contact, variant, locale, language: visit.language, unmasked })
  }
  const firstShown = async (visit: Visit, steps: readonly Step[]) => {
    for (const step of steps) {
      const shown = await preview(visit, step.campaign, step.step, undefined)
      if (shown && (shown.html ?? shown.text) !== null) return { step, shown }
    }
    return undefined
  }
  return new Hono()
    .get(
      '/templates',
      page(dependencies, 'look', async (visit) => {
        const { say } = visit
        const files = await desk?.files()
        const steps =
          files?.campaigns.flatMap(({ campaign, title, steps: each }) =>
            each.map((step) => ({ campaign, title, ...step })),
          ) ?? []
        const title = say('Templates', '模板')
        const wanted = wantedOf(visit)
        const names = steps.map(({ campaign, step }) => `${campaign}/${step}`)
        const asked = steps[names.indexOf(chosenOf(visit, 'step', names) ?? '')]
        const mails = steps.filter(({ channels }) => channels.includes('email'))
        let refused: RefusedForm | undefined
        const unlessRefused = async <Shown,>(show: () => Promise<Shown> | undefined) => {
          try {
            return await show()
          } catch (error) {
            refused = refusedContact(error, visit)
            return undefined
          }
        }
        // Unasked, a step that has something to show for whoever comes first.
        const first = asked ? undefined : await unlessRefused(() => firstShown(visit, mails.slice(0, TRIED)))
        const chosen = asked ?? first?.step ?? mails[0] ?? steps[0]
        if (!chosen) {
          return await visit.show(
            title,
            <Empty title={say('There is nothing to preview yet', '暂无可预览的内容')}>
              <p>
                {say(
                  'Templates are shown through the steps of campaigns: put a campaign into its folder.',
                  '模板通过活动步骤预览：请先在活动目录中放入活动文件。',
                )}
              </p>
            </Empty>,
          )
        }
        // What was chosen of another step's variants is none of this one's.
        const variant = chosen.variants?.find((name) => name === wanted.variant)
        const shown =
          first?.shown ?? (await unlessRefused(() => preview(visit, chosen.campaign, chosen.step, variant)))
        if (refused !== undefined && wanted.contact === undefined)
          return await visit.show(title, nobodyYet(visit))
        const query = new URLSearchParams({
          step: `${chosen.campaign}/${chosen.step}`,
          ...(wanted.contact ? { contact: wanted.contact } : {}),
          ...(variant ? { variant } : {}),
          ...(wanted.locale ? { locale: wanted.locale } : {}),
          dark: wanted.dark ? '1' : '0',
        })
        return await visit.show(
          title,
          <>
            <Refusal refused={refused} />
            <Choices
              visit={visit}
              refused={refused}
              steps={steps}
              chosen={chosen}
              variant={variant}
              wanted={{ ...wanted, contact: wanted.contact ?? shown?.contact }}
            />
            {shown === undefined ? null : (
              <Message visit={visit} shown={shown} wanted={wanted} src={`/templates/message?${query}`} />
            )}
          </>,
          refused === undefined ? 200 : 422,
        )
      }),
    )
    .get(
      '/templates/message',
      page(dependencies, 'look', async (visit) => {
        const { campaign = '', step = '', variant, dark } = wantedOf(visit)
        const shown = await preview(visit, campaign, step, variant)
        visit.c.header('Content-Security-Policy', MESSAGE_POLICY)
        return visit.c.html(inLight(shown?.html ?? plainMessage(shown?.text ?? shown?.outcome ?? ''), dark))
      }),
    )
}

/** Where nobody in particular was asked for, and there is nobody at all. */
function nobodyYet({ say }: Visit) {
  return (
    <Empty title={say('There are no contacts yet', '尚无联系人')}>
      <p>
        {say(
          'A message is shown as one of your contacts would get it. Bring them in from a file:',
          '此处按某位联系人实际收到的样子显示消息。从文件导入：',
        )}{' '}
        <code>winback import contacts FILE</code>
      </p>
    </Empty>
  )
}

/** What is asked for by the address. */
function wantedOf(visit: Visit) {
  const query = (name: string) => visit.c.req.query(name)?.trim() || undefined
  const [campaign, step] = query('step')?.split('/') ?? []
  const locale = chosenOf(visit, 'locale', visit.runtime.workspace.locales)
  return {
    campaign,
    step,
    contact: query('contact'),
    variant: query('variant'),
    locale,
    phone: query('width') === 'phone',
    dark: query('dark') === '1',
  }
}

type Wanted = ReturnType<typeof wantedOf>

/**
 * Of a contact that is not there; what was chosen beside it stays.
 * @throws what else is wrong
 */
function refusedContact(error: unknown, { language, say }: Visit): RefusedForm {
  if (!(error instanceof WinbackError && error.code.startsWith('contact.'))) throw error
  const [title, words] = refusalWords(error, language)
  const text = `${title.charAt(0).toUpperCase()}${title.slice(1)}${say('. ', '。')}${words}`
  return { form: 'preview', field: 'contact', words: text }
}

function Choices({
  visit,
  refused,
  steps,
  chosen,
  variant,
  wanted,
}: {
  visit: Visit
  refused: RefusedForm | undefined
  steps: readonly Step[]
  chosen: Step
  variant: string | undefined
  wanted: Wanted
}) {
  const { say } = visit
  return (
    <form method="get" action="/templates" class="row">
      <label>
        {say('Step', '步骤')}
        <select name="step">
          {steps.map((each) => (
            <option value={`${each.campaign}/${each.step}`} selected={each === chosen}>
              {`${each.title} · ${each.tier} · ${each.step}${channelsOf(each.channels, visit)}`}
            </option>
          ))}
        </select>
      </label>
      <label>
        {say('Contact', '联系人')}
        <input name="contact" value={wanted.contact ?? ''} {...entered(refused, 'contact')} />
      </label>
      {(chosen.variants ?? []).length === 0 ? null : (
        <label>
          {say('Variant', '方案')}
          <select name="variant">
            <option value="">{say('their own', '其本人方案')}</option>
            {chosen.variants?.map((name) => (
              <option value={name} selected={name === variant}>
                {name}
              </option>
            ))}
          </select>
        </label>
      )}
      <label>
        {say('Language', '语言')}
        <select name="locale">
          <option value="">{say('their own', '其本人语言')}</option>
          {visit.runtime.workspace.locales.map((locale) => (
            <option value={locale} selected={locale === wanted.locale}>
              {ownName(locale)}
            </option>
          ))}
        </select>
      </label>
      <label>
        {say('Width', '宽度')}
        <select name="width">
          <option value="desktop">{say('desktop', '桌面')}</option>
          <option value="phone" selected={wanted.phone}>
            {say('phone', '手机')}
          </option>
        </select>
      </label>
      <label class="tick">
        <input type="checkbox" name="dark" value="1" checked={wanted.dark} />
        {say('dark', '深色')}
      </label>
      <button type="submit">{say('Show', '显示')}</button>
    </form>
  )
}

/** `Deutsch · de`: as those who read it call it, and as the files do. */
function ownName(locale: string): string {
  return `${new Intl.DisplayNames(locale, { type: 'language' }).of(locale)} · ${locale}`
}

/** ` (E-mail, Text message)`: by what a step goes. */
function channelsOf(channels: readonly string[], { say, speech }: Visit): string {
  const names = channels.map((name) => speech.channel(name))
  return say(` (${names.join(', ')})`, `（${names.join('、')}）`)
}

function Message({
  visit,
  shown,
  wanted,
  src,
}: {
  visit: Visit
  shown: StepPreview
  wanted: Wanted
  src: string
}) {
  const { say } = visit
  return (
    <div class="card">
      <p class="soft">
        <Coded text={shown.outcome} />
      </p>
      {shown.subject === null ? null : <h2>{shown.subject}</h2>}
      {shown.html === null ? (
        <p class="paper">{shown.text ?? say('There is nothing to show.', '没有可显示的内容。')}</p>
      ) : (
        <iframe
          sandbox=""
          title={say('The message', '消息内容')}
          class={`${wanted.phone ? 'phone' : ''}${wanted.dark ? ' dark' : ''}`}
          src={src}
        />
      )}
    </div>
  )
}

/** What a mail app in dark (or light) mode makes of it: the message's own rules for that mode hold, whatever this browser is in. */
function inLight(message: string, dark: boolean): string {
  return message
    .replace(/\(\s*prefers-color-scheme\s*:\s*dark\s*\)/g, dark ? '(min-width: 0)' : '(max-width: 0)')
    .replace(/\(\s*prefers-color-scheme\s*:\s*light\s*\)/g, dark ? '(max-width: 0)' : '(min-width: 0)')
}

/** A message without a page of its own (an SMS, a push), or why there is none. */
function plainMessage(text: string): string {
  const paragraphs = text.split('\n').map((line) => html`<p>${line}</p>`)
  return `${html`<!doctype html><meta name="color-scheme" content="light dark"><style>body { font: 1rem/1.5 system-ui, sans-serif; margin: 1rem; overflow-wrap: anywhere } p { margin: 0 0 .4rem }</style>${paragraphs}`}`
}
