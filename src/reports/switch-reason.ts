import type { Language } from './words.ts'

// Why something is switched off. What a person wrote is said as they wrote it; what Winback did by itself is kept in
// English, as a log is searched, and said in the language of whoever reads it.

const CAUSES: Readonly<Record<string, string>> = {
  'breaker: ': '熔断：',
  'stop rule: ': '停止规则：',
}
const HARMS: Readonly<Record<string, string>> = {
  complaints: '投诉率',
  'hard bounces': '硬退率',
  'opt-outs': '退订率',
}
const TRIALS: Readonly<Record<string, string>> = {
  'tried again with a few messages': '用少量消息重新试发',
  'a few messages did no harm': '试发的少量消息没有问题',
}
const COMMANDS: Readonly<Record<string, string>> = { pause: '暂停', stop: '停止' }

/** The reason of a switch, of a breaker or of what they did, for whoever reads it. */
export function switchReason(reason: string, language: Language): string {
  if (language === 'en') return reason
  const [cause = '', said] = Object.entries(CAUSES).find(([prefix]) => reason.startsWith(prefix)) ?? []
  if (said !== undefined) return `${said}${harmText(reason.slice(cause.length))}`
  const [, command = '', who] = /^(pause|stop) by (\S+)$/.exec(reason) ?? []
  if (who !== undefined) return `由 ${who} ${COMMANDS[command]}`
  return TRIALS[reason] ?? harmText(reason)
}

function harmText(reason: string): string {
  const [, share, harm = '', count, of, limit] =
    /^([\d.]+) % (.*) \((\d+) of (\d+)\), more than ([\d.]+) %$/.exec(reason) ?? []
  if (share === undefined) return reason
  return `${HARMS[harm] ?? harm} ${share}%（${of} 条中 ${count} 条），超过 ${limit}%`
}
