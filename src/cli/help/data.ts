/** What the verbs say of themselves that bring data in. */
export const DATA: Readonly<Record<string, string>> = {
  // import
  'Read contacts, activity, suppressions, consents, sends, codes, redemptions or interviews from a file':
    '从文件导入联系人、行为、禁发地址、同意记录、历史发送、券码、核销或访谈',
  'CSV or NDJSON, gzip too. The same file twice changes nothing; one that was interrupted is simply imported again.':
    '支持 CSV 或 NDJSON，也可用 gzip 压缩。重复导入同一文件没有影响；中断后重新导入即可。',
  'A bad row goes to the reject file with its line and the reason, and stops nothing.':
    '有误的行连同行号和原因写入拒收文件，不影响其余行。',
  'People: external_id, email, phone, locale, timezone, signed_up_at and the workspace’s attributes':
    '联系人：external_id、email、phone、locale、timezone、signed_up_at 及工作区定义的属性',
  'What people did: external_id, type, occurred_at, value, message_id, properties':
    '联系人的行为：external_id、type、occurred_at、value、message_id、properties',
  'Addresses never to write to: email or phone, reason': '禁止发送的地址：email 或 phone、reason',
  'Who agreed to what: external_id, channel, decision (given or withdrawn), decided_at, wording, source, proof':
    '联系人的同意记录：external_id、channel、decision（given 或 withdrawn）、decided_at、wording、source、proof',
  'What another system sent: external_id, channel, sent_at, topic':
    '其他系统的历史发送：external_id、channel、sent_at、topic',
  'Why people stay away, from interviews and surveys: external_id, reason, said_at, note':
    '访谈和问卷中得知的流失原因：external_id、reason、said_at、note',
  'Offers that were used: code, or external_id and offer; redeemed_at, value, key':
    '已核销的优惠：code，或 external_id 与 offer；redeemed_at、value、key',
  'Codes to give out with an offer of `codes: imported`: code, expires_at':
    '供 `codes: imported` 的优惠发放的券码：code、expires_at',
  'columns named otherwise are mapped; the rest are found by their names':
    '名称不同的列需映射，其余按列名自动识别',
  'columns by number, a date format of its own, and the same type for every row':
    '按列号映射，自定日期格式，每行类型相同',
  'one column `email` is enough then': '这样只需一列 `email`',
  'consents another system collected, each with its time': '其他系统收集的同意记录，各带时间',
  'so that caps and `reentry.unanswered` count it': '使频次上限和 `reentry.unanswered` 计入这些发送',
  'codes of the list or their words; the Reasons report counts them with calls, replies and opt-outs':
    '填原因代码或其文字；流失原因报告将其与电话、回复和退订合并统计',
  'the same file twice changes nothing; what is refused is in the reject file, with the reason':
    '重复导入同一文件没有影响；被拒的核销及原因见拒收文件',
  'each code is given to one account, once': '每个券码只发给一个账号，且只发一次',
  'what another program writes': '读取另一程序的输出',
  'its name, or CAMPAIGN.NAME where several campaigns have one':
    '优惠名称；多个活动同名时写 CAMPAIGN.NAME（活动.名称）',
  'CSV or NDJSON, by its ending; .gz too; - for standard input':
    'CSV 或 NDJSON，按扩展名识别；也支持 .gz；- 表示标准输入',
  'which column is which field: by name, number or NDJSON path, two by Date+Time; repeatable':
    '字段与列的对应：按列名、列号或 NDJSON 路径，两列写作 Date+Time；可重复',
  'a field that is the same in every row; repeatable': '每行取值相同的字段；可重复',
  'all of this in a YAML or JSON file': '以上设置写在 YAML 或 JSON 文件中',
  'csv or ndjson (default: by the file’s ending)': 'csv 或 ndjson（默认：按扩展名识别）',
  'between columns: a character, `tab` or `whitespace` (default: ,)':
    '列分隔符：一个字符、`tab` 或 `whitespace`（默认：,）',
  'the first line is data; map columns by number': '首行即数据，按列号映射',
  'such as gbk, gb18030, windows-1252, utf-16le (default: UTF-8)':
    '文件编码，如 gbk、gb18030、windows-1252、utf-16le（默认：UTF-8）',
  'before the cents: `,` where amounts are written 1.234,50 (default: .)':
    '小数点：金额写作 1.234,50 时用 `,`（默认：.）',
  'such as yyyymmdd, dd.mm.yyyy hh:mi, dd-mon-yyyy, epoch or epoch-ms (default: ISO 8601)':
    '日期格式，如 yyyymmdd、`dd.mm.yyyy hh:mi`、dd-mon-yyyy、epoch 或 epoch-ms（默认：ISO 8601）',
  'of dates without one (default: the workspace’s)': '未带时区的日期所属时区（默认：工作区时区）',
  'where bad rows go (default: FILE.rejects.csv)': '拒收文件（默认：FILE.rejects.csv）',
  'when the file was true, for attributes that age (default: when it was last modified; now, of standard input)':
    '文件数据的时点，用于有时效的属性（默认：文件的修改时间；标准输入则为当前时间）',

  // sync
  'Pull contacts and activity from your own PostgreSQL, by the queries of winback.yaml':
    '按 winback.yaml 中的查询，从您的 PostgreSQL 拉取联系人和行为',
  'Reads what is new by each query’s cursor, and only reads. One that was interrupted is simply run again; a bad row goes to .winback/sync/NAME.rejects.csv with its reason, and stops nothing. `winback start` runs those that have a schedule.':
    '按各查询的游标读取新数据，只读不写。中断后重新运行即可；有误的行连同原因写入 .winback/sync/NAME.rejects.csv，不影响其余行。设有时间表的同步由 `winback start` 自动运行。',
  'a name under `sync` (default: all)': '`sync` 下的名称（默认：全部）',
  'write nothing; the same counts as the real thing': '试运行：不写入，统计数字与实际运行相同',
  'read everything again, whatever was read before': '忽略此前进度，全部重新读取',
  'everything under `sync` in winback.yaml': '同步 winback.yaml 中 `sync` 下的全部内容',
  'reads and counts, and writes nothing': '只读取并统计，不写入',
  'from the start, such as after a repair of old rows': '从头读取，例如修复旧数据之后',

  // bounce
  'Read one returned mail: a bounce, a complaint, a wish to be left alone':
    '读取一封退回的邮件：退信、投诉或退订请求',
  'For the pipe of a mail server: what comes to the mailboxes `bounces` and `unsubscribe` of channels.email is read here. It is believed by the signed reference in the address it was sent to, whoever sent it.':
    '供邮件服务器的管道调用：读取寄到 channels.email 中 `bounces` 和 `unsubscribe` 邮箱的邮件。以收件地址中的签名为准，不论由谁寄出。',
  'the mail; standard input by default': '邮件文件；默认读取标准输入',
  'the address it was delivered to, where its headers do not say': '投递到的地址，邮件头未注明时填写',
  'a mail on standard input': '从标准输入读取一封邮件',
  'in an alias of Postfix': '写在 Postfix 的别名中',
}
