import type { Language } from '../../reports/words.ts'

// The fixed words of a plan, both languages beside each other, so that neither can be forgotten.

export const PLAN_WORDS = {
  audience: { en: 'Audience now', 'zh-CN': '当前受众' },
  noContacts: {
    en: 'There are no contacts yet. Run `winback import contacts FILE` and `winback import activity FILE` first.',
    'zh-CN': '还没有任何联系人。请先运行 `winback import contacts FILE` 和 `winback import activity FILE`。',
  },
  nobody: { en: 'nobody would be taken in', 'zh-CN': '没有人会被纳入' },
  tier: { en: 'tier', 'zh-CN': '阶段' },
  everyone: { en: 'everyone else', 'zh-CN': '其他人' },
  all: { en: 'all', 'zh-CN': '全部' },
  leftOut: { en: 'Left out, though silent long enough', 'zh-CN': '沉默已久但未纳入' },
  leftOutInTime: { en: 'Left out, though the time has come', 'zh-CN': '时点已到但未纳入' },
  early: { en: 'are not there yet: their date or event asks for more time', 'zh-CN': '尚未到时点' },
  missed: { en: 'had their date or event too long ago', 'zh-CN': '日期或事件已过去太久' },
  noDate: { en: 'have no such date', 'zh-CN': '没有该日期' },
  noEvent: { en: 'have had no such event', 'zh-CN': '没有发生过该事件' },
  outside: { en: 'Everybody else', 'zh-CN': '其余的人' },
  recent: { en: 'were active too recently', 'zh-CN': '最近仍活跃' },
  beyond: {
    en: 'have been silent for longer than the last tier takes',
    'zh-CN': '沉默时间超过最后阶段的上限',
  },
  open: { en: 'are already in this campaign', 'zh-CN': '已在本活动中' },
  undated: { en: 'have neither activity nor a sign-up date', 'zh-CN': '既无活跃记录也无注册日期' },
  bySignUp: {
    en: 'have no activity; their silence counts from the sign-up',
    'zh-CN': '没有活跃记录，沉默从注册日算起',
  },
  messages: {
    en: 'Messages to those who enter now, in the tier they enter: were all treated and none came back first',
    'zh-CN': '发给此刻进入者的消息（仅其进入的阶段；假设全部触达且无人先回来）',
  },
  step: { en: 'step', 'zh-CN': '步骤' },
  channel: { en: 'channel', 'zh-CN': '渠道' },
  count: { en: 'messages', 'zh-CN': '消息数' },
  suppressed: { en: 'are on the do-not-contact list', 'zh-CN': '在禁止联系名单中' },
  noConsent: { en: 'have not given consent', 'zh-CN': '尚未同意接收' },
  optedOut: { en: 'have chosen not to get it', 'zh-CN': '已自行选择不接收' },
  condition: { en: 'do not meet the condition', 'zh-CN': '不满足条件' },
  unknown: { en: 'lack what the condition asks about', 'zh-CN': '缺少条件所需的信息' },
  heldOut: { en: 'Held out', 'zh-CN': '对照组' },
  entering: { en: 'entering at', 'zh-CN': '进入阶段' },
  notContacted: { en: 'not contacted', 'zh-CN': '不触达' },
  withDraws: { en: 'with the tier’s own draw', 'zh-CN': '含阶段内抽样' },
  cost: {
    en: 'Cost of the whole ladder for those who enter now, at most: were nobody to come back',
    'zh-CN': '此刻进入者走完全部阶段的成本上限（假设无人回来）',
  },
  showable: { en: 'What can be shown, and when', 'zh-CN': '能显示多大的效果、何时' },
  noPast: {
    en: 'There is no past to guess from, so the widest case is assumed.',
    'zh-CN': '没有历史可供估计，按最不利的情况计算。',
  },
  afterDays: { en: 'after days', 'zh-CN': '天数' },
  assigned: { en: 'assigned', 'zh-CN': '已分组' },
  smallest: {
    en: 'smallest effect shown (95 %, power 80 %)',
    'zh-CN': '可显示的最小差异（95%，检验功效 80%）',
  },
  nobodyHeldOut: { en: 'nothing: nobody is held out', 'zh-CN': '无：没有对照组' },
  tooFew: { en: 'nothing: too few people', 'zh-CN': '无：人数太少' },
  samples: { en: 'Samples', 'zh-CN': '消息样例' },
} satisfies Record<string, Record<Language, string>>
