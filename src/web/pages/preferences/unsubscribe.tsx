import type { Child } from 'hono/jsx'
import type { Language, Phrases } from '../../../reports/words.ts'
import { renderDocument, WhyField } from './document.tsx'

// Where the link under a message leads. Looking changes nothing, for scanners look too; the button does. Why is asked
// afterwards: whoever wants to go is not held up by a question.

const WORDS = {
  ask: { en: 'No more of these messages?', 'zh-CN': '不再接收这类消息？' },
  askMore: {
    en: 'One press, and we stop. What is on its way to you already may still arrive.',
    'zh-CN': '确认后立即停发，已经发出的消息可能仍会送达。',
  },
  press: { en: 'Stop writing to me', 'zh-CN': '确认退订' },
  less: { en: 'Rather less than nothing at all?', 'zh-CN': '只想少收一些？' },
  choose: { en: 'Choose what we may send you', 'zh-CN': '选择您愿意接收的内容' },
  // Of the channel it came by: by another that was not refused, something may still come.
  done: {
    en: 'Done. We will not write to you this way again.',
    'zh-CN': '好了，我们不会再以这种方式给您发消息。',
  },
  doneMore: {
    en: 'It holds from this moment. Orders and account notices are not affected.',
    'zh-CN': '从现在起生效。订单和账户通知不受影响。',
  },
  why: { en: 'Would you tell us why?', 'zh-CN': '愿意告诉我们原因吗？' },
  whyMore: {
    en: 'Only if you like. Nothing more is sent either way.',
    'zh-CN': '可以不填。无论如何都不会再发。',
  },
  noReason: { en: 'I would rather not say', 'zh-CN': '不便说明' },
  tell: { en: 'Send my answer', 'zh-CN': '提交' },
  heard: { en: 'Thank you. That helps us do better.', 'zh-CN': '谢谢，这能帮助我们改进。' },
  broken: { en: 'This link does not work', 'zh-CN': '这个链接打不开' },
  brokenMore: {
    en: 'It was cut off or changed on its way. Open it from the message itself, or answer the message with “unsubscribe”.',
    'zh-CN': '它可能被截断或改动过。请直接从消息里打开，或回复“退订”。',
  },
  brokenClick: {
    en: 'It was cut off or changed on its way. Open it from the message itself.',
    'zh-CN': '它可能被截断或改动过。请直接从消息里打开。',
  },
  erased: { en: 'This account has been deleted', 'zh-CN': '该账号已删除' },
  // To which address it went is known no more: another account may have the same.
  erasedMore: {
    en: 'Nothing more is sent for it. Should you get another message from us, please use the link in that one: which address this one went to, we no longer know.',
    'zh-CN':
      '不会再为该账号发送任何消息。如果仍收到我们的消息，请使用那条消息里的链接：这条消息发往哪个地址，已无从得知。',
  },
  nobody: { en: 'This message was a test', 'zh-CN': '这是一条测试消息' },
  nobodyMore: {
    en: 'It is no contact’s, and its links change nothing.',
    'zh-CN': '它不属于任何联系人，其中的链接不会更改任何内容。',
  },
} as const satisfies Phrases

type Word = keyof typeof WORDS

function page(language: Language, brand: string, title: Word, children: Child, stage = '') {
  return renderDocument({ language, brand, title: WORDS[title][language], children, stage })
}

/** Asks before anything happens. `preferences` is where less can be chosen than nothing; absent where there is none. */
export function askPage(language: Language, brand: string, preferences?: string) {
  const say = (word: Word) => WORDS[word][language]
  return page(
    language,
    brand,
    'ask',
    <section>
      <h1>{say('ask')}</h1>
      <p>{say('askMore')}</p>
      <form method="post" action={`?lang=${language}`}>
        <input type="hidden" name="way" value="page" />
        <button type="submit">{say('press')}</button>
      </form>
      {preferences === undefined ? null : (
        <p class="quiet less">
          {say('less')} <a href={preferences}>{say('choose')}</a>
        </p>
      )}
    </section>,
  )
}

/** What an address of {@link donePage} has, beside the language. */
export const DONE = 'done=1'
export const HEARD = 'done=heard'

/** It is done. Why is asked once; `heard` where it was answered. */
export function donePage(language: Language, brand: string, heard: boolean) {
  const say = (word: Word) => WORDS[word][language]
  return page(
    language,
    brand,
    'done',
    <>
      <section>
        <h1>{say('done')}</h1>
        <p>{say('doneMore')}</p>
      </section>
      <section>
        {heard ? (
          <p role="status">{say('heard')}</p>
        ) : (
          <form method="post" action={`?lang=${language}`}>
            <input type="hidden" name="way" value="reason" />
            <WhyField language={language} label={say('why')} none={say('noReason')} />
            <p class="quiet">{say('whyMore')}</p>
            <button class="other" type="submit">
              {say('tell')}
            </button>
          </form>
        )}
      </section>
    </>,
    heard ? HEARD : DONE,
  )
}

/** A page that can only say something. */
function saying(language: Language, brand: string, title: Word, more: Word) {
  return page(
    language,
    brand,
    title,
    <section>
      <h1>{WORDS[title][language]}</h1>
      <p>{WORDS[more][language]}</p>
    </section>,
  )
}

export function brokenPage(language: Language, brand: string) {
  return saying(language, brand, 'broken', 'brokenMore')
}

/** Of a link to somewhere else: whoever follows it wants nothing stopped. */
export function brokenClickPage(language: Language, brand: string) {
  return saying(language, brand, 'broken', 'brokenClick')
}

/** Of a message to somebody who was erased since. */
export function erasedPage(language: Language, brand: string) {
  return saying(language, brand, 'erased', 'erasedMore')
}

/** Of a message that is nobody's: a test, a replay's, a report to colleagues. */
export function nobodyPage(language: Language, brand: string) {
  return saying(language, brand, 'nobody', 'nobodyMore')
}
