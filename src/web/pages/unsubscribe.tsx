import type { Language } from '../../reports/words.ts'
import { renderDocument } from './document.tsx'

// Where the link under a message leads. Looking changes nothing, for scanners look too; the button does.

const WORDS = {
  ask: { en: 'No more e-mail from us?', 'zh-CN': '不再接收我们的邮件？' },
  askMore: {
    en: 'One press, and we stop. What is on its way to you already may still arrive.',
    'zh-CN': '按一下就停。已经在路上的邮件可能还会送到。',
  },
  press: { en: 'Stop writing to me', 'zh-CN': '不要再发了' },
  done: { en: 'Done. We will not write to you again.', 'zh-CN': '好了，我们不会再给您发邮件。' },
  doneMore: {
    en: 'It holds from this moment. Orders and account notices are not affected.',
    'zh-CN': '从现在起生效。订单和账户通知不受影响。',
  },
  broken: { en: 'This link does not work', 'zh-CN': '这个链接打不开' },
  brokenMore: {
    en: 'It was cut off or changed on its way. Open it from the e-mail itself, or answer the e-mail with “unsubscribe”.',
    'zh-CN': '它可能被截断或改动过。请直接从邮件里打开，或回复邮件写“退订”。',
  },
} as const satisfies Record<string, Record<Language, string>>

type Word = keyof typeof WORDS

function page(language: Language, brand: string, title: Word, more: Word, action?: Word) {
  return renderDocument({
    language,
    brand,
    title: WORDS[title][language],
    children: (
      <>
        <h1>{WORDS[title][language]}</h1>
        <p>{WORDS[more][language]}</p>
        {action ? (
          <form method="post">
            <input type="hidden" name="way" value="page" />
            <button type="submit">{WORDS[action][language]}</button>
          </form>
        ) : null}
      </>
    ),
  })
}

/** Asks before anything happens. */
export function askPage(language: Language, brand: string) {
  return page(language, brand, 'ask', 'askMore', 'press')
}

export function donePage(language: Language, brand: string) {
  return page(language, brand, 'done', 'doneMore')
}

export function brokenPage(language: Language, brand: string) {
  return page(language, brand, 'broken', 'brokenMore')
}
