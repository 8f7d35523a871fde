import { expect, test } from 'vitest'
import { switchReason } from '../../src/reports/switch-reason.ts'
import { broken, type Harm } from '../../src/touchpoints/breakers.ts'

const acted = (kind: Harm) => broken({ sent: 1000, harm: { [kind]: 20 } }, { [kind]: 0.005 }) ?? ''

test.each([
  [acted('complaint'), '投诉率 2%（1000 条中 20 条），超过 0.5%'],
  [`breaker: ${acted('hard_bounce')}`, '熔断：硬退率 2%（1000 条中 20 条），超过 0.5%'],
  [`stop rule: ${acted('unsubscribe')}`, '停止规则：退订率 2%（1000 条中 20 条），超过 0.5%'],
  ['tried again with a few messages', '用少量消息重新试发'],
  ['a few messages did no harm', '试发的少量消息没有问题'],
  ['pause by root', '由 root 暂停'],
  ['stop by mei', '由 mei 停止'],
])('what Winback switched off by itself, %s, is said in Chinese to whoever reads that', (reason, chinese) => {
  expect(switchReason(reason, 'zh-CN')).toBe(chinese)
  expect(switchReason(reason, 'en')).toBe(reason)
})

test('what a person wrote is said as they wrote it', () => {
  expect(switchReason('wrong price, breaker: see ticket 12', 'zh-CN')).toBe(
    'wrong price, breaker: see ticket 12',
  )
})
