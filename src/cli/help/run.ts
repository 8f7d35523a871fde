import { CALL_OUTCOMES } from '../../channels/channel.ts'
import { LEAVING_REASONS } from '../../config/reasons.ts'
import { OUTCOME_WORDS } from '../../reports/call-words.ts'

const OUTCOMES = CALL_OUTCOMES.join(', ')

/** What the verbs say of themselves that let it run. */
export const RUN: Readonly<Record<string, string>> = {
  // run
  'Run campaigns once, now: who has lapsed is taken in, who is due gets the next message':
    '立即运行一次活动：纳入已流失的联系人，向到期的联系人发送下一条消息',
  'What `winback start` does by the schedule, done once by hand. A run is known by its time: the same time twice runs once. With --dry-run everything is counted and nothing is written.':
    '手动完成一次 `winback start` 按时间表所做的工作。运行以时间为标识，同一时间只运行一次。加上 --dry-run 则只统计、不写入。',
  'a campaign (default: all that were applied)': '活动（默认：全部已应用的活动）',
  'the moment the run is for (default: now)': '运行对应的时刻（默认：现在）',
  'write nothing; the same counts as `winback plan`': '试运行：不写入，统计数字与 `winback plan` 相同',
  'take in and plan, but leave the sending to `winback start` or `winback worker`':
    '只纳入和安排，发送留给 `winback start` 或 `winback worker`',
  'every applied campaign, now': '立即运行全部已应用的活动',
  'only count what would happen': '只统计会发生什么',
  'as the run of that moment': '作为该时刻的运行',

  // start, worker, scheduler, web
  'Run everything in one process: schedules, dispatch, sending, sweeping, web':
    '在一个进程中运行全部服务：调度、派发、发送、清理、网页',
  'Runs each campaign by its schedule (a missed run is caught up once), sends what is due, and mends what a crash left behind. Serves the web side as `web` in winback.yaml says. Ctrl-C lets what is under way end.':
    '按时间表运行各活动（错过的只补运行一次），发送到期消息，并修复崩溃遗留的问题。按 winback.yaml 中的 `web` 提供网页。按 Ctrl-C 后，进行中的工作会先完成。',
  'catch the mail sent to this machine and show it on the web; nothing goes out':
    '拦截发往本机的邮件，在网页上显示，不会外发',
  'all of it, until Ctrl-C': '全部运行，直到按 Ctrl-C',
  'while you develop: mails are shown on the web under Outbox, and go nowhere':
    '开发时使用：邮件只显示在网页的“发件箱”中，不会外发',
  'Only send: one more machine for the work': '只负责发送：用更多机器分担',
  'Takes batches from the queue that a scheduler fills. Any number may run, anywhere.':
    '从调度进程写入的队列中领取批次。数量和位置不限。',
  'on a second machine': '在另一台机器上运行',
  'Only schedule, dispatch and sweep': '只负责调度、派发和清理',
  'Several may run: each schedule still runs once.': '可同时运行多个，每个时间表仍只执行一次。',
  'beside workers on other machines': '与其他机器上的 worker 配合',
  'Only serve the web side: events in, links of messages': '只提供网页服务：接收事件、处理消息中的链接',
  'Listens where `web` in winback.yaml says. Any number may run, behind a load balancer that asks /readyz.':
    '监听 winback.yaml 中 `web` 指定的地址。数量不限，可置于检查 /readyz 的负载均衡之后。',
  'beside the others, on as many machines as it takes': '与其他进程配合，按需部署多台',

  // calls
  'Work through the calls that people are to make': '处理待拨打的回访电话',
  [`Outcomes: ${OUTCOMES}.`]: `结果：${CALL_OUTCOMES.map((code) => `${code} ${OUTCOME_WORDS[code]['zh-CN']}`).join('、')}。`,
  [`Reasons: ${Object.keys(LEAVING_REASONS).join(', ')}.`]: `原因：${Object.entries(LEAVING_REASONS)
    .map(([code, words]) => `${code} ${words['zh-CN']}`)
    .join('、')}。`,
  [OUTCOMES]: CALL_OUTCOMES.join('、'),
  'The queue, the most urgent first': '查看电话队列，最紧急的在前',
  'the queue, the most urgent first': '查看电话队列，最紧急的在前',
  'take it: shows the number and the script': '接手一通电话，显示号码和话术',
  'give it back: somebody else may take it': '放回电话，其他人可以接手',
  'what became of it': '登记通话结果',
  'only what may be called now and nobody has taken': '只看此刻可拨打且无人接手的',
  'of one campaign': '只看一个活动',
  'Take a call': '接手一通电话',
  'Give a call back': '放回一通电话',
  'Say what became of a call': '登记一通电话的结果',
  'as the list shows it': '列表中的编号',
  'who calls (default: your account)': '由谁拨打（默认：您的系统账号）',
  'why the contact stays away': '联系人不再来的原因',
  'how long it took': '通话时长（分钟）',
  'how the contact felt': '联系人的情绪',
  'what was said': '通话内容',
  'when to try again: 2026-11-25T10:00:00+08:00': '何时再拨，如 2026-11-25T10:00:00+08:00',

  // pause, resume, stop
  'Hold back what would be sent, until resumed': '暂停发送，直到恢复',
  'Takes effect at once, on every machine. Nothing is lost: what is due waits, up to the campaign’s max_delay. While a channel is paused people are still taken in; a paused campaign, or all of them, takes in nobody, but for what a run that is under way still does.':
    '立即在所有机器上生效。消息不会丢失：到期的会等待，最长为活动的 max_delay。暂停渠道时仍会纳入联系人；暂停活动或全部活动时则不再纳入，正在进行的运行除外。',
  'a campaign': '活动',
  'a channel instead': '改为针对一个渠道',
  'the whole workspace instead': '改为针对整个工作区',
  'why, for those who read it later': '原因，供日后查阅',
  'one campaign': '一个活动',
  'one channel, in every campaign': '一个渠道，所有活动',
  'Let what was paused go on': '恢复已暂停的发送',
  'A channel that rests because its provider could not be reached is tried at once where it is named, and every such channel with --all: there is no need to wait once a password is mended.':
    '因服务商无法连接而暂缓发送的渠道，指名恢复时会立即尝试，用 --all 时所有这类渠道都会立即尝试：密码改正后无需等待。',
  'lifts the pause of everything, and has channels that rest tried; what was paused by itself stays paused':
    '解除整体暂停，并立即尝试暂缓发送的渠道；单独暂停的仍保持暂停',
  'End a campaign for good': '永久停止一个活动',
  'It takes nobody in any more and sends nothing more. Outcomes are still counted. There is no way back, so it asks first; `winback pause` holds a campaign back until it is resumed.':
    '不再纳入任何人，也不再发送，结果仍会统计。停止后无法恢复，因此会先要求确认；如只是暂时停下，请用 `winback pause`。',
  'says whom it concerns, asks, and ends it': '说明影响哪些人，确认后停止',
}
