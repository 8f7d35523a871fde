import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

// One Chinese word for one thing, in pages, help, reports and templates: the word, and others that were meant for it.

const ROOT = fileURLToPath(new URL('..', import.meta.url))

const WORDS: readonly (readonly [english: string, word: string, others: RegExp])[] = [
  // What a regression is called is another model.
  ['return model', '回流模型', /回归模型|回访模型/],
  ['code', '券码', /兑换码|优惠码/],
  ['do-not-contact list', '禁止联系名单', /禁发名单|黑名单|勿扰名单/],
  ['seed', '种子联系人', /种子账号|种子用户|测试名单/],
  ['agent', '客服', /坐席|座席/],
  ['to take a call', '接手', /领取一通|无人领取|被领取/],
  ['external id', '外部编号', /外部 ?ID/],
  ['report', '报告', /报表/],
  ['control group', '对照组', /控制组|留出组/],
  ['segment', '分群', /分层|细分/],
  ['what can be shown', '可检出', /可显示的最小|可识别的最小/],
]

const texts = ['src', 'templates'].flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.(?:tsx?|hbs)$/.test(file))
    .map((file) => ({ file: `${folder}/${file}`, text: readFileSync(join(ROOT, folder, file), 'utf8') })),
)

test.each(WORDS)('%s is %s in Chinese, and nothing else', (_, word, others) => {
  const strays = texts.filter(({ text }) => others.test(text)).map(({ file }) => file)
  expect(strays).toEqual([])
  expect(texts.some(({ text }) => text.includes(word))).toBe(true)
})

test('punctuation between Chinese words is Chinese', () => {
  const strays = texts.flatMap(({ file, text }) =>
    text
      .split('\n')
      .filter(
        (line) =>
          !/^\s*(?:\/\/|\/?\*)/.test(line) &&
          /\p{Script=Han}[,;:!](?=\p{Script=Han})|\p{Script=Han}["'] ?\$\{/u.test(line),
      )
      .map((line) => `${file}: ${line.trim()}`),
  )
  expect(strays).toEqual([])
})
