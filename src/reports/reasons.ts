import type { ReasonSource } from '../config/reasons.ts'
import type { Deferral } from './deferral.ts'
import type { Phrases } from './words.ts'

// A sentence for every answer and reason that is ever recorded. Tables hold the name; people read the sentence.

/** Answers of a selection. */
export const ANSWERS = {
  opened: { en: 'taken in', 'zh-CN': '已纳入' },
  audience: { en: 'not in the audience: its condition is false', 'zh-CN': '不在受众内：条件不成立' },
  audience_unknown: {
    en: 'a fact the audience condition needs is unknown',
    'zh-CN': '受众条件所需的信息未知',
  },
  exclusive: {
    en: 'already in another campaign of the same exclusive group',
    'zh-CN': '正处于同一互斥组的另一个活动中',
  },
  reentry_wait: {
    en: 'the last time in this campaign ended too recently',
    'zh-CN': '距上次参与本活动结束的时间太短',
  },
  sunset: {
    en: 'did not come back after as many tries as the campaign allows',
    'zh-CN': '已达到允许的尝试次数仍未召回，不再打扰',
  },
  already_returned: {
    en: 'came back, or did what the campaign wants, before it could take them in',
    'zh-CN': '纳入之前已经回来，或已达成活动目标',
  },
  rollout: { en: 'outside the share of persons rolled out to', 'zh-CN': '不在当前放量比例内' },
  max_silence: { en: 'silent for longer than the intake allows', 'zh-CN': '沉默时间超过纳入上限' },
  backlog: { en: 'waits for another day: the daily intake is full', 'zh-CN': '当日纳入名额已满，改日再纳入' },
  same_person: {
    en: 'another contact of the same person was taken in',
    'zh-CN': '同一个人的另一个账号已被纳入',
  },
  erased: { en: 'erased at the person’s request', 'zh-CN': '已按本人要求删除' },
} satisfies Phrases

/** Why a selection does not even consider a contact. */
export const OUTSIDE = {
  open: { en: 'already in this campaign', 'zh-CN': '正在本活动中' },
  seed: {
    en: 'a seed: gets every message and is never counted',
    'zh-CN': '种子联系人：收到全部消息，不计入统计',
  },
  undated: {
    en: 'neither activity nor a sign-up date is known',
    'zh-CN': '没有任何活跃记录，也没有注册日期',
  },
  too_recent: {
    en: 'active too recently for the first tier',
    'zh-CN': '最近仍活跃，未达到第一阶段的沉默时间',
  },
  beyond: { en: 'silent for longer than the last tier takes', 'zh-CN': '沉默时间超过最后阶段的上限' },
  no_date: { en: 'has no such date', 'zh-CN': '没有该日期' },
  no_event: { en: 'has had no such event', 'zh-CN': '没有发生过该事件' },
  not_yet: { en: 'too early for the next tier', 'zh-CN': '尚未到下一阶段的时间' },
  missed: { en: 'too late for the last tier', 'zh-CN': '已超过最后阶段的时间' },
  entered: {
    en: 'was in this campaign for this date or event already',
    'zh-CN': '已因该日期或事件参与过本活动',
  },
} satisfies Phrases

/** Why a touchpoint was not sent, or how it failed. */
export const REASONS = {
  frequency_cap: {
    en: 'the person has had as many messages as the campaign’s limits allow',
    'zh-CN': '该用户收到的消息已达频次上限',
  },
  budget_exhausted: { en: 'the campaign’s budget is used up', 'zh-CN': '活动预算已用完' },
  offer_unavailable: {
    en: 'the offer could not be given: out of stock, used or expired, too many for one person, or refused by its provider',
    'zh-CN': '优惠无法发放：库存不足、已使用或已过期、该用户领取次数已达上限，或被发放优惠的服务商拒绝',
  },
  paused: { en: 'sending was paused', 'zh-CN': '发送已暂停' },
  returned: { en: 'came back before it was sent', 'zh-CN': '发送前已自行回来' },
  moved: {
    en: 'the date it was about has changed',
    'zh-CN': '所依据的日期已变更',
  },
  superseded: { en: 'the next tier had begun', 'zh-CN': '已进入下一阶段' },
  erased: { en: 'erased at the person’s request', 'zh-CN': '已按本人要求删除' },
  suppressed: {
    en: 'the address is on the do-not-contact list',
    'zh-CN': '该地址在禁止联系名单中',
  },
  no_consent: { en: 'consent was not given, or was withdrawn', 'zh-CN': '未同意接收，或已撤回同意' },
  opted_out: { en: 'the contact chose not to get it', 'zh-CN': '本人选择不接收' },
  no_address: {
    en: 'no valid address on any of the step’s channels',
    'zh-CN': '该步骤的所有渠道都没有有效地址',
  },
  no_channel: {
    en: 'none of the step’s channels is set up',
    'zh-CN': '该步骤的渠道均未接入',
  },
  condition: { en: 'the step’s condition is false', 'zh-CN': '该步骤的条件不成立' },
  effort: {
    en: 'enough was sent for what the contact brings',
    'zh-CN': '按该联系人的价值与潜力，已发送足够多的消息',
  },
  missing_data: {
    en: 'a fact the step needs is missing, and nothing is sent with a blank',
    'zh-CN': '缺少该步骤所需的信息，不发送有空缺的内容',
  },
  stale_data: {
    en: 'a fact the message needs is too old to be quoted',
    'zh-CN': '内容所需的信息已过时，不再引用',
  },
  quiet_hours: {
    en: 'outside the hours in which the channel may send',
    'zh-CN': '不在该渠道允许发送的时段内',
  },
  too_late: {
    en: 'later than the campaign allows after its planned time',
    'zh-CN': '已超过计划时间后允许的最大延迟',
  },
  stopped: { en: 'the campaign was stopped', 'zh-CN': '活动已停止' },
  merged: {
    en: 'merged with a person who is in the campaign, or another of its group, already',
    'zh-CN': '与已在本活动或同组活动中的同一人合并，不重复发送',
  },
  expired: {
    en: 'the observation period ended before it could be sent',
    'zh-CN': '发送前观察期已结束',
  },
  contaminated: {
    en: 'two merged persons had drawn different groups: no new messages',
    'zh-CN': '合并的两人分属不同分组：不再发送新消息',
  },
  bad_address: { en: 'the provider says the address does not exist', 'zh-CN': '服务商称该地址不存在' },
  refused: { en: 'the provider refused it for good', 'zh-CN': '服务商永久拒收' },
  content: { en: 'the provider refused the content', 'zh-CN': '服务商拒绝了内容' },
  unsubscribed: { en: 'the contact opted out at the provider', 'zh-CN': '联系人已在服务商处退订' },
  attempts: { en: 'given up after several tries', 'zh-CN': '多次重试后放弃' },
} satisfies Phrases

/** Why a planned touchpoint waits: by what put it back, or by what holds back the dispatcher. */
export const WAITS = {
  quiet_hours: { en: 'waits for the hours in which the channel may send', 'zh-CN': '等待渠道允许发送的时段' },
  holiday: {
    en: 'waits for a day on which the channel may send',
    'zh-CN': '当天不发送（节假日、周末或禁发日）',
  },
  frequency_cap: {
    en: 'waits until the person may get another message under the campaign’s limits',
    'zh-CN': '已达频次上限，等待可再次发送',
  },
  outranked: {
    en: 'waits for another message of higher rank to the same person',
    'zh-CN': '同一人有更优先的消息，让其先发',
  },
  budget_exhausted: { en: 'waits for the next day’s budget', 'zh-CN': '当日预算已用完，等待次日' },
  budget_held: {
    en: 'waits for what messages under way hold of the budget',
    'zh-CN': '预算余额被正在发送的消息占用，稍后再看',
  },
  offer_held: {
    en: 'waits for another step that is granting the same offer',
    'zh-CN': '另一步骤正在发放同一优惠，稍后再看',
  },
  credit: {
    en: 'waits for the provider that credits the offer, which gave no answer or cannot be reached',
    'zh-CN': '发放优惠的服务商未答复或无法连接，等待重试',
  },
  capacity: { en: 'waits for a day with room for another call', 'zh-CN': '当日外呼名额已满，改日再打' },
  paused: { en: 'waits for its channel to be resumed', 'zh-CN': '等待渠道恢复发送' },
  changed: {
    en: 'waits to be looked at again: something was switched off, refused or sent while it was prepared',
    'zh-CN': '准备期间有开关、同意或发送情况发生变化，等待重新检查',
  },
  unreachable: {
    en: 'waits for its channel, whose provider cannot be reached',
    'zh-CN': '渠道的服务商无法连接，等待恢复',
  },
  retry: { en: 'waits for another try', 'zh-CN': '等待重试' },
  held: { en: 'is due and held back by a pause or a stop', 'zh-CN': '已到期，因暂停或停止而未发送' },
  breaker: {
    en: 'is due and waits its turn: the channel sends a few a day until its breaker closes',
    'zh-CN': '已到期，渠道熔断试发中，每天仅放行少量',
  },
  rate_limit: {
    en: 'is due and waits for the provider’s rate or the warm-up',
    'zh-CN': '已到期，受服务商速率或预热限制，依次发送',
  },
  due: { en: 'is due and goes with one of the next batches', 'zh-CN': '已到期，随后几批发送' },
} satisfies Phrases<Deferral>

/** States of a touchpoint. */
export const STATES = {
  planned: { en: 'planned', 'zh-CN': '已计划' },
  deferred: { en: 'deferred to a later time', 'zh-CN': '已推迟' },
  queued: { en: 'queued', 'zh-CN': '排队中' },
  claimed: { en: 'being prepared', 'zh-CN': '准备中' },
  sending: { en: 'being sent', 'zh-CN': '发送中' },
  sent: { en: 'sent', 'zh-CN': '已发送' },
  failed: { en: 'failed', 'zh-CN': '失败' },
  skipped: { en: 'not sent', 'zh-CN': '未发送' },
  cancelled: { en: 'cancelled', 'zh-CN': '已取消' },
  uncertain: { en: 'delivery unknown', 'zh-CN': '是否送达未知' },
} satisfies Phrases

/** How an episode ended, or what silenced it. */
export const ENDS = {
  recalled: { en: 'recalled', 'zh-CN': '已召回' },
  returned: { en: 'came back, without reaching the goal', 'zh-CN': '已回来，但未达成目标' },
  expired: { en: 'did not come back in time', 'zh-CN': '观察期内未回来' },
  withdrawn: { en: 'withdrawn: the campaign was stopped', 'zh-CN': '已撤出：活动已停止' },
  renewed: { en: 'seeds get the messages of a newer version', 'zh-CN': '种子改收新版本的消息' },
  erased: { en: 'erased at the person’s request', 'zh-CN': '已按本人要求删除' },
  stopped: { en: 'the campaign was stopped', 'zh-CN': '活动已停止' },
  merged: {
    en: 'merged with a person who was in it, or in another of its group, already',
    'zh-CN': '与已在本活动或同组活动中的同一人合并',
  },
  contaminated: {
    en: 'two merged persons had drawn different groups',
    'zh-CN': '合并的两人分属不同分组',
  },
} satisfies Phrases

/** What a provider reported of a message. */
export const RECEIPTS = {
  sent: { en: 'the provider sent it on', 'zh-CN': '服务商已发出' },
  soft_bounce: { en: 'could not be delivered for now', 'zh-CN': '暂时无法送达' },
  delivered: { en: 'delivered', 'zh-CN': '已送达' },
  hard_bounce: { en: 'came back as undeliverable for good', 'zh-CN': '永久无法送达，已退回' },
  opened: { en: 'opened', 'zh-CN': '已打开' },
  clicked: { en: 'tapped or clicked', 'zh-CN': '已点击' },
  complaint: { en: 'complained about', 'zh-CN': '被投诉' },
} satisfies Phrases

/** Why an address is on the do-not-contact list. */
export const SUPPRESSIONS = {
  hard_bounce: { en: 'mail to it bounced for good', 'zh-CN': '邮件被永久退回' },
  wrong_number: { en: 'nobody’s, or somebody else’s', 'zh-CN': '空号，或号码属于他人' },
  complaint: { en: 'complained about a message', 'zh-CN': '投诉过消息' },
  unsubscribe: { en: 'unsubscribed', 'zh-CN': '已退订' },
  manual: { en: 'put there by hand', 'zh-CN': '人工加入' },
  erased: { en: 'belonged to someone who was erased', 'zh-CN': '属于已按本人要求删除的人' },
} satisfies Phrases

/** Why a redemption was refused. */
export const REDEMPTION_REFUSALS = {
  unknown_code: { en: 'nobody was given this code', 'zh-CN': '没有人领取过此券码' },
  mistyped_code: {
    en: 'its check letter does not fit: it was mistyped, or is no code of ours',
    'zh-CN': '校验位不符：输入有误，或不是我方的券码',
  },
  unknown_contact: { en: 'no contact has this external_id', 'zh-CN': '没有此 external_id 对应的联系人' },
  unknown_grant: { en: 'the contact has no grant of this offer', 'zh-CN': '该联系人未领取此优惠' },
  foreign: { en: 'the code belongs to another account', 'zh-CN': '券码属于其他账号' },
  expired: { en: 'it was used after the grant had expired', 'zh-CN': '使用时已过有效期' },
  too_early: { en: 'it was used before it was granted', 'zh-CN': '使用时间早于发放时间' },
  future: { en: 'it lies in the future', 'zh-CN': '使用时间在将来' },
  already_redeemed: { en: 'it was redeemed before', 'zh-CN': '此前已被核销' },
  incomplete: { en: 'neither a code nor an offer was said', 'zh-CN': '未说明券码或优惠' },
} satisfies Phrases

/** Where a reason for staying away was said. */
export const REASON_SOURCES = {
  call: { en: 'in a call', 'zh-CN': '在通话中' },
  reply: { en: 'in a reply', 'zh-CN': '在回复中' },
  opt_out: { en: 'when opting out', 'zh-CN': '退订时' },
  interview: { en: 'in an interview', 'zh-CN': '在访谈或问卷中' },
} satisfies Phrases<ReasonSource>
