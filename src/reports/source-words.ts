import { OUTCOME_WORDS, SENTIMENT_WORDS } from './call-words.ts'
import { SUPPRESSIONS } from './reasons.ts'
import { bracketed, type Phrases, type Speech, sentence } from './words.ts'

// By what somebody said what they want, or an address came to be silenced. Winback's own sources are kept in English, as a
// log is searched, and said in the language of whoever reads them; what a person or a file named stays as it is.

const OWN: Readonly<Record<string, string>> = {
  'preferences page': '偏好页面',
  'one-click': '一键退订',
  page: '退订页面',
  mail: '退订邮件',
  unsubscribe: '退订',
  'call: wrong number': '通话：号码有误',
  'erasure of another account': '另一账号删除时沿用',
  'merging of accounts': '账号合并时沿用',
  'parting of accounts': '账号拆分时沿用',
}

const CALLS: Phrases = { ...OUTCOME_WORDS, ...SENTIMENT_WORDS }

const BY: readonly (readonly [
  pattern: RegExp,
  say: (found: readonly string[], speech: Pick<Speech, 'language' | 'channel'>) => string,
])[] = [
  [/^unsubscribe: (\S+)$/, ([way = '']) => OWN[way] ?? way],
  [/^call: (\S+)$/, ([end = ''], { language }) => `通话：${sentence(CALLS, end, language)}`],
  [/^import of (.+)$/s, ([file = '']) => `导入 ${file}`],
  [/^reply to (\S+)$/, ([channel = ''], speech) => `对${speech.channel(channel)}的回复`],
  [/^refused by (\S+)$/, ([channel = ''], speech) => `${speech.channel(channel)}的服务商拒收`],
  [
    /^receipt of (\S+?)(?: \((\w+)\))?$/,
    ([channel = '', reason], speech) =>
      `${speech.channel(channel)}的回执${reason ? bracketed(sentence(SUPPRESSIONS, reason, speech.language), speech) : ''}`,
  ],
]

/** One source, or several of one entry, for whoever reads them. */
export function sourceText(source: string, speech: Pick<Speech, 'language' | 'channel'>): string {
  if (speech.language === 'en') return source
  return source
    .split('; ')
    .map((each) => partText(each, speech))
    .join('；')
}

function partText(source: string, speech: Pick<Speech, 'language' | 'channel'>): string {
  const own = Object.hasOwn(OWN, source) ? OWN[source] : undefined
  if (own !== undefined) return own
  for (const [pattern, say] of BY) {
    const found = pattern.exec(source)
    if (found) return say(found.slice(1), speech)
  }
  return source
}
