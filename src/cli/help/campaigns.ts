/** What the verbs say of themselves that write and check campaigns. */
export const CAMPAIGNS: Readonly<Record<string, string>> = {
  // validate
  'Find every mistake in the workspace, the campaigns and the templates':
    '检查工作区、活动和模板，列出全部错误',
  'Reads files only; needs neither database nor mail server. Exits with 1 when there is an error.':
    '只读取文件，不需要数据库或邮件服务器。有错误时退出码为 1。',
  'campaign files (default: all of the workspace)': '活动文件（默认：工作区内全部）',
  everything: '全部',
  'one campaign, and the workspace it is written for': '检查一个活动及其所属工作区',
  'for an editor or a build': '供编辑器或构建流程使用',

  // plan
  'What a campaign would do, to whom, at what cost, and what it could prove':
    '预估活动会做什么：触达谁、成本多少、能得出什么结论',
  'Changes nothing. Counts the audience by tier and segment, says who is left out and why, shows messages to real contacts, and prints the hash `winback apply --plan` wants.':
    '不做任何更改。按阶段和分群统计受众，说明谁未纳入及原因，展示发给真实联系人的消息，并给出 `winback apply --plan` 所需的哈希。',
  'count for this moment (default: now)': '按此时刻统计（默认：现在）',
  'every campaign of the workspace': '工作区的全部活动',
  'as if it were that day': '假设今天是这一天',
  'the counts, for a review': '输出统计数据，供评审',

  // apply
  'Make campaign files the versions that run': '应用活动文件，作为运行中的版本',
  'Whoever is taken in from now on gets the new version; who is under way keeps the one they began with.':
    '此后纳入的联系人使用新版本，进行中的沿用原版本。',
  'With --plan, refuses when the campaign, the workspace or a template is no longer what the plan showed, or another version runs by now.':
    '加上 --plan 时，如果活动、工作区或模板与计划所示不一致，或此后已应用其他版本，则拒绝应用。',
  'the hash `winback plan` printed': '`winback plan` 给出的哈希',
  'every campaign of the workspace that changed': '工作区中有变化的全部活动',
  'exactly what `winback plan` showed': '只应用 `winback plan` 展示过的内容',

  // rollback
  'Go back to an earlier version of a campaign, templates included': '把活动回退到早先版本，模板一并回退',
  'Makes a new version with the old one’s text: history only grows. Files on disk are not touched.':
    '用旧版本的内容生成新版本，历史只增不减。磁盘上的文件不受影响。',
  'the version to restore (default: the one before)': '要恢复的版本（默认：上一版本）',
  'list the versions and change nothing': '只列出版本，不做更改',
  'to the version before': '回退到上一版本',
  'to version 3': '回退到版本 3',
  'the versions there are': '列出全部版本',

  // schema
  'Print the JSON Schema of a file format, for editors': '输出文件格式的 JSON Schema，供编辑器使用',
  'The format of campaigns/*.yaml': 'campaigns/*.yaml 的格式',
  'The format of winback.yaml': 'winback.yaml 的格式',
  'what the first line of a campaign points to': '活动文件首行所引用的 schema',
  'the format of winback.yaml': 'winback.yaml 的格式',

  // preview
  'Show what one contact would get of a step, and whether they would get it':
    '预览某位联系人在某个步骤会收到什么、能否收到',
  'Reads the campaign and templates as they are on disk, applied or not. Sends nothing.':
    '按磁盘上的活动和模板生成，不论是否已应用。不发送任何内容。',
  'a name or file': '活动名称或文件',
  'the id of a step': '步骤的 id',
  'external id of a contact': '联系人的外部编号',
  'in this language instead of the contact’s own': '改用此语言，而非联系人自己的语言',
  'this variant of the step instead of the contact’s own': '改用此方案，而非联系人分到的方案',
  'write the HTML here': '将 HTML 写入此文件',
  'names, addresses and numbers as they are': '姓名、地址和号码不脱敏',
  'subject and text': '显示主题和正文',
  'the page, for a browser': '生成网页，用浏览器查看',
  'a step that compares variants': '查看对比多个方案的步骤',

  // test-send
  'Send one step to an address of your own, with a contact’s data':
    '用某位联系人的数据，将一个步骤发到您自己的地址',
  'Really sends, to --to alone, through the first of the step’s channels that delivers to such an address. Guards are not asked, nothing is recorded and nothing is counted. Without --contact, the newest contact that has an address lends its data.':
    '会真实发送，但只发到 --to，使用该步骤中第一个支持此类地址的渠道。不经过发送检查，不留记录，不计入统计。未指定 --contact 时，使用最新一位有地址的联系人的数据。',
  'where to send it: an e-mail address or a phone number': '发送到：邮箱地址或手机号码',
  'external id of the contact whose data are used': '使用其数据的联系人的外部编号',
  'see it in your own mailbox': '在自己的邮箱中查看',
  'a text message': '发送短信',
  'as that contact would': '与该联系人收到的内容一致',

  // replay
  'Rehearse campaigns on the past: the same code, driven by the clock, in a schema of its own':
    '用历史数据演练活动：同一套代码，由时钟驱动，在独立的 schema 中进行',
  'Copies contacts and activity into another schema and goes from tick to tick, knowing at each moment only what had happened by then (attributes, addresses and persons are as they are today). Nothing is sent unless --deliver is given: then messages go out through the workspace’s channels, so point SMTP at a catch-all first. No offer is credited to anybody’s account. Nobody in the past got these messages: the incremental figure of a replay should contain zero.':
    '把联系人和行为复制到另一个 schema，逐个时刻推进，每一时刻只知道当时已发生的事（属性、地址和账号归属以现状为准）。不加 --deliver 不会发送；加上则通过工作区的渠道发出，请先将 SMTP 指向测试邮箱。优惠不会发放到任何人的账户。历史上没有人真正收到这些消息，因此演练得出的增量区间应包含零。',
  'the first moment': '起始时刻',
  'the last moment': '结束时刻',
  'the schema it happens in; dropped and made anew': '演练使用的 schema，每次删除重建',
  'the grid due messages go out on': '到期消息的发送间隔',
  'really send, through the workspace’s channels': '通过工作区的渠道真实发送',
  'half a year of every campaign, sending nothing': '演练全部活动半年，不发送',
  'its report again': '再次查看演练报告',
}
