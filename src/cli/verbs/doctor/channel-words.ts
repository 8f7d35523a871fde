// What the channels that come with Winback answer doctor, in Chinese. A channel says it in English, for it knows no reader;
// what one from outside says, and what a server wrote, stays as it is.

const PATTERNS: readonly (readonly [pattern: RegExp, chinese: string])[] = [
  [/^delivers nowhere; counted (\d+) since it was opened$/, '不真正发送；启动以来计数 $1'],
  [/^kept here until the app asks for it: (.*)$/, '保存在本系统，直到应用来取：$1'],
  [/^people make the calls: (.*)$/, '由人工拨打：$1'],
  [/^the robot at (\S+) answers$/, '机器人 $1 有应答'],
  [/^Aliyun answers; signature (.*)$/, '阿里云有应答，签名 $1'],
  [/^Twilio knows account (\S+)$/, 'Twilio 认可账号 $1'],
  [/^FCM project (\S+)$/, 'FCM 项目 $1'],
  [/^JPush app (\S+)$/, '极光应用 $1'],
  [/^web push signed for (\S+)$/, '浏览器推送以 $1 签名'],
  [/^(\S+) answers to a signed batch$/, '$1 对签名的批次有应答'],
]

/** The parts of what a mail server answers, between commas. */
const PARTS: typeof PATTERNS = [
  [/^(\S+) answers$/, '$1 有应答'],
  [/^encrypted$/, '已加密'],
  [/^NOT encrypted$/, '未加密'],
  [/^signing for (\S+) \((.*)\)$/, '以 $1（$2）签名'],
  [/^without DKIM signature$/, '无 DKIM 签名'],
  [/^no sign-in$/, '未登录'],
  [/^signed in as (\S+)$/, '登录为 $1'],
  [/^from (\S+)$/, '发件人 $1'],
]

/** The Chinese of a channel's answer; as it is where a part of it has none. */
export function channelText(answer: string): string {
  const several = answer.split('; ').map((each) => said(each, PATTERNS))
  const whole = said(answer, PATTERNS) ?? (several.every(isText) ? several.join('；') : undefined)
  if (whole !== undefined) return whole
  const parts = answer.split(', ').map((part) => said(part, PARTS))
  return parts.every(isText) ? parts.join('，') : answer
}

function said(text: string, patterns: typeof PATTERNS): string | undefined {
  const [pattern, chinese] = patterns.find(([each]) => each.test(text)) ?? []
  return pattern && chinese && text.replace(pattern, chinese)
}

function isText(text: string | undefined): text is string {
  return text !== undefined
}
