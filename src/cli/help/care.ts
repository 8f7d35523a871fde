/** What the verbs say of themselves that keep it healthy. */
export const CARE: Readonly<Record<string, string>> = {
  // api-keys
  'Make, show and revoke the keys of the API': '创建、查看和吊销 API 密钥',
  'A key is shown once, when it is made; only its hash is kept. Scopes:':
    '密钥只在创建时显示一次，系统只保存其哈希。权限：',
  '  events:write   send events (/v1/identify, track, page, screen, group, alias, batch) and devices':
    '  events:write   发送事件（/v1/identify、track、page、screen、group、alias、batch）与设备',
  '  read           read figures': '  read           读取数据与报告',
  '  preferences    read and change what contacts chose to get':
    '  preferences    读取并更改联系人的接收偏好',
  '  redemptions    tell of offers that were used': '  redemptions    上报核销',
  '  privacy        export and erase a person': '  privacy        导出和删除个人数据',
  '  inapp          fetch in-app messages and tell of their display':
    '  inapp          读取应用内消息并回报展示',
  '  calls          see the queue of calls, take them, and say what became of them':
    '  calls          查看电话队列、接手并登记结果',
  'Make a key and show it, once': '创建密钥并显示，仅此一次',
  'The keys there are; never the keys themselves': '列出现有密钥，不显示密钥本身',
  'End a key for good': '永久吊销一个密钥',
  'who will use it': '使用方名称',
  'what it is good for; repeatable': '权限；可重复',
  'its id, the part between the two underscores': '密钥编号，即两条下划线之间的部分',
  'a write key, as Segment’s libraries want one': '创建写入密钥，可用于 Segment 的 SDK',
  'the keys there are, and when each was last used': '列出现有密钥及最近使用时间',
  'for good, within seconds on every machine': '永久吊销，数秒内在所有机器上生效',

  // move
  'Copy everything into another PostgreSQL, such as from the embedded one to your own':
    '把全部数据复制到另一个 PostgreSQL，例如从内置数据库迁移到自己的服务器',
  'End every other process of Winback first. People, groups, history and what waits come along, as they were at one moment; the new database has to be empty. What is left here is paused, so that nobody is written to from both.':
    '请先结束其他所有 Winback 进程。联系人、分组、历史和待发消息按同一时刻的状态一并迁移；新数据库须为空。原数据库随后暂停，以免两边同时发送。',
  'from the database in use': '从当前使用的数据库迁移',
  'the new database (default: NEW_DATABASE_URL of the environment, which keeps a password to itself)':
    '新数据库（默认：环境变量 NEW_DATABASE_URL，可避免泄露密码）',

  // doctor
  'Check everything Winback leans on, and say how to mend what is wrong':
    '检查 Winback 依赖的各项服务，并说明如何修复',
  'Files, database, migrations, clock, queue, mail server, templates and the activity feed. Sends nothing and changes nothing. Exits with 3 when something does not answer, 1 when something else is wrong.':
    '检查文件、数据库、数据库迁移、时钟、队列、邮件服务器、模板和行为数据接入。不发送、不更改任何内容。某项服务没有应答时退出码为 3，其他问题为 1。',
  'one line a check': '每项检查一行',
  'for a monitor': '供监控系统使用',

  // users
  'Who may sign in to the web, and what each may do': '管理网页用户及其权限',
  'A user sets a password by a link that works once. Roles, each with all that those before it may do:':
    '用户通过一次性链接设置密码。角色如下，后者包含前者的全部权限：',
  '  viewer    figures, campaigns, stories of contacts with addresses masked':
    '  viewer    查看者：查看数据、活动和联系人经过，联系方式已脱敏',
  '  agent     addresses, calls, and recording what a contact asked for':
    '  agent     客服：查看联系方式、拨打电话、登记联系人的要求',
  '  operator  plan, approve, pause, resume, stop, export, erase; the audit':
    '  operator  运营：计划、批准、暂停、恢复、停止、导出、删除、查看操作记录',
  '  admin     users and keys': '  admin     管理员：管理用户和密钥',
  'The users there are': '列出全部用户',
  'Add a user and print the link that sets the password': '添加用户，并显示设置密码的链接',
  'Print a new link that sets the password; the one before is void':
    '生成新的设置密码链接，之前的链接随即失效',
  'Change what a user may do': '更改用户的角色',
  'Sign a user out everywhere, and do not let them in again': '停用用户：在各处退出登录，且不能再登录',
  'Let a user in again': '重新启用用户',
  'the user': '用户名',
  'what the user may do': '用户的角色',
  'who there is, and when each was last seen': '有哪些用户，各自最近一次访问的时间',
  'prints the link to give to Ada': '显示要交给 Ada 的链接',
  'a new link: the password was forgotten': '忘记密码时，生成新链接',
  'from the next page on': '从打开下一个页面起生效',
  'signed out everywhere, and not in again': '在各处退出登录，不能再登录',
  'with the password they had': '密码不变',

  // signing-keys
  'Show, renew and retire the keys of signed links': '查看、更换和停用链接的签名密钥',
  'Preference pages, unsubscribe links and clicks are signed. After `rotate` a new key signs; links that are out there stay good until their key is retired.':
    '偏好页面、退订链接和点击链接都带签名。`rotate` 之后由新密钥签名；已发出的链接在其密钥停用前一直有效。',
  'The keys there are': '列出全部密钥',
  'Make a new key, which signs from now on': '生成新密钥，此后由它签名',
  'Refuse the links a key has signed': '停用密钥，拒绝由它签名的链接',
  'its number': '密钥编号',
  'the keys there are; never their secrets': '列出全部密钥，不显示密钥内容',
  'a new key for the links of today': '为此后的链接更换新密钥',
  'from now on links signed with key 1 are refused': '此后拒绝由密钥 1 签名的链接',

  // allow
  'Take addresses off the do-not-contact list that were put there by mistake': '把误加的地址移出禁止联系名单',
  'What files put there goes. What a person did (unsubscribed, complained) stays, as does an erasure; what bounced goes only where that is asked for. Of a file, what an import of a file of its name put there goes.':
    '移出由文件导入的地址。本人退订、投诉的，以及已按要求删除的，仍留在名单中；退信的地址须明确指定才会移出。给出文件时，移出同名文件导入的地址。',
  'one address or number, whichever file put it there': '移出一个地址或号码，不论由哪个文件加入',
  'it was imported as suppressions: says what would go, and why the rest stays':
    '该文件曾被误当作禁止联系名单导入：显示哪些会移出，其余为何保留',
  'addresses of a list of your own': '按自己整理的名单移出',
  'an e-mail address or a number': '邮箱地址或号码',
  'many: CSV or NDJSON with columns email or phone; .gz too':
    '批量：含 email 或 phone 列的 CSV 或 NDJSON；也支持 .gz',
  'of a file: what other files put there, too': '给出文件时：也移出由其他文件加入的',
  'what bounced for good, and wrong numbers, too': '也移出永久退信的地址和有误的号码',
  'change nothing, and say what would come of it': '试运行：不做更改，只显示结果',
  'where rows go that stay on the list (default: FILE.kept.csv)':
    '保留在名单中的行写入的文件（默认：FILE.kept.csv）',

  // consent
  'Show what a contact agreed to and chose, or record it': '查看或登记联系人的同意与接收偏好',
  'The record is append-only. A withdrawal holds before the next send, for all accounts of the person.':
    '记录只增不改。撤回后，下一次发送前即生效，适用于同一人的全部账号。',
  'record that consent was given': '登记同意',
  'record that consent was withdrawn': '登记撤回同意',
  'version of the words that were agreed to': '所同意文案的版本',
  'where it happened (default: who records it)': '来源（默认：登记人）',
  'what shows it': '凭证',
  'the record, the latest choice, and the link to their own page': '查看记录、最新偏好和偏好页面链接',
  'they said stop on the telephone': '联系人在电话中要求停止',
  'they signed': '联系人已签字同意',

  // export, erase
  'Print everything held about one contact': '导出一位联系人的全部数据',
  'of the text': '输出格式',
  'for a request for access': '用于答复数据查询请求',
  'one value a line, for a spreadsheet': '每行一个值，供电子表格使用',
  'Erase one contact for good': '永久删除一位联系人',
  'Removes the contact from tables, rehearsals and reject files. Keyed hashes stay, so that no import brings them back, and arm and outcome under a random id, so that reports still add up. There is no way back, so it asks first.':
    '从数据表、演练数据和拒收文件中删除该联系人。保留加密哈希，以防再次导入；分组与结果改用随机编号保留，使报告仍能对账。删除后无法恢复，因此会先要求确认。',
  'asks, and erases': '确认后删除',
}
