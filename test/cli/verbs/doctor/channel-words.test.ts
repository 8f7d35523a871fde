import { expect, test } from 'vitest'
import { registerChannels } from '../../../../src/channels/channels.ts'
import { channelText } from '../../../../src/cli/verbs/doctor/channel-words.ts'
import { checkChannels } from '../../../../src/cli/verbs/doctor/services.ts'
import { workspace } from '../../../../src/config/workspace.ts'

test('what a channel answers doctor is said in Chinese to who reads Chinese', async () => {
  const definition = workspace.parse({
    version: 1,
    name: 'Shop',
    timezone: 'UTC',
    currency: 'CNY',
    locales: ['en'],
    channels: { log: {}, inapp: {}, callback: { wage: '30' } },
  })
  const findings = await checkChannels(registerChannels(definition), (_en, zh) => zh)
  expect(findings.map(({ found }) => found)).toEqual([
    'callback：由人工拨打：`winback calls list`',
    'inapp：保存在本系统，直到应用来取：GET /v1/inapp/{external_id}',
    'log：不真正发送；启动以来计数 0',
  ])
})

test.each([
  [
    'smtp.shop.example:587 answers, encrypted, signed in as shop, signing for shop.example (s1), from shop@shop.example',
    'smtp.shop.example:587 有应答，已加密，登录为 shop，以 shop.example（s1）签名，发件人 shop@shop.example',
  ],
  [
    '127.0.0.1:1025 answers, NOT encrypted, no sign-in, without DKIM signature, from a@b.example',
    '127.0.0.1:1025 有应答，未加密，未登录，无 DKIM 签名，发件人 a@b.example',
  ],
  ['Aliyun answers; signature 好茶', '阿里云有应答，签名 好茶'],
  ['Twilio knows account AC1', 'Twilio 认可账号 AC1'],
  [
    'web push signed for mailto:a@b.example; FCM project p; JPush app k',
    '浏览器推送以 mailto:a@b.example 签名；FCM 项目 p；极光应用 k',
  ],
  ['own.example answers to a signed batch', 'own.example 对签名的批次有应答'],
  ['the robot at robot.example answers', '机器人 robot.example 有应答'],
  ['the relay is up', 'the relay is up'],
])('%s', (answer, chinese) => {
  expect(channelText(answer)).toBe(chinese)
})
