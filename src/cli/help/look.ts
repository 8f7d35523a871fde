/** What the verbs say of themselves that show what happened. */
export const LOOK: Readonly<Record<string, string>> = {
  // report
  'Who came back, and who of them because of us': '谁回来了，其中多少是我们召回的',
  'Everybody taken in is counted, sent to or not. "Won back by us" is the difference to those who were not contacted, with its interval; nothing else is called a gain.':
    '统计全部已纳入者，不论是否发出。“多召回的人数”是与未触达的对照组之差，附区间；只有这一差值才算增量。',
  'monday, funnel, lift, cost, delivery, offers, reasons; none: the overview. Or a campaign':
    'monday、funnel、lift、cost、delivery、offers、reasons；不填则为总览。也可填活动名',
  'a campaign (default: all that were ever applied)': '活动（默认：全部曾应用的活动）',
  'taken in from here on': '从此时起纳入的',
  'taken in before this': '在此时之前纳入的',
  'tables as CSV': '以 CSV 输出表格',
  'one table alone, with --csv': '与 --csv 合用，只输出一张表',
  'counts everything anew first, whatever is known': '先全部重新统计',
  'as counted last, by `winback start` or before': '直接使用上次的统计，不重新计算',
  'every campaign': '全部活动',
  'those taken in during January': '一月份纳入的联系人',
  'the figures, for a dashboard': '输出数据，供看板使用',
  'the first page of a week, in plain words': '周一速览，每周首先要看的一页',
  'tables for a spreadsheet': '输出表格，供电子表格使用',

  // digest
  'Monday’s page by e-mail, with its charts as pictures': '用邮件发送周一速览，图表以图片呈现',
  'For every week by itself, set `digest:` in winback.yaml; `start` and `scheduler` send it then.':
    '如需每周自动发送，请在 winback.yaml 中设置 `digest:`，由 `start` 或 `scheduler` 发送。',
  'who gets it; repeatable': '收件人；可重复',
  'one campaign (default: all)': '一个活动（默认：全部）',
  'writes it there instead of, or beside, sending': '保存到此文件夹；可代替发送，也可同时发送',
  'now, over the workspace’s mail server': '立即通过工作区的邮件服务器发送',
  'into a folder, to look at it: the page and its pictures': '将页面和图片存入文件夹，先行查看',

  // annotate
  'Note what else happened on a day: it is marked on every curve': '记下某天发生的其他事，标注在每条曲线上',
  'A promotion, an outage, a rival’s sale. Without a text, lists what was noted.':
    '例如促销、故障、竞品大促。不填文字则列出已有标注。',
  'what happened': '发生了什么',
  'the day it was, or began (default: today)': '发生或开始的日期（默认：今天）',
  'the last day of it': '结束日期',
  'the campaign it is about (default: all)': '相关的活动（默认：全部）',
  'takes one away': '删除一条标注',
  'days, both included; all campaigns': '起止日期均包含在内，适用于全部活动',
  'about one campaign': '只与一个活动有关',
  'by the number the list shows': '按列表中的编号删除',

  // lift
  'What an experiment showed: any file with groups and an outcome':
    '分析一次实验的结果：任何带分组和结果的文件均可',
  'One row a person: the group it was drawn into, and what came of it (0 and 1, yes and no, or an amount). Needs neither a workspace nor a database. Every group is compared with the control; with several, p is adjusted for their number (Holm). Rows that cannot be read are named and left out.':
    '每人一行：所属分组和结果（0 与 1、yes 与 no，或数值）。不需要工作区或数据库。每组都与对照组比较；多组时按组数校正 p 值（Holm 法）。无法读取的行会列出，不参与计算。',
  'CSV (or NDJSON), with a header; .gz too': '带表头的 CSV（或 NDJSON）；也支持 .gz',
  'the group of each row': '分组所在的列',
  'the group that was left alone, or got what is usual': '对照组：未触达，或照常对待的一组',
  'what came of it: 0 or 1, yes or no, or a number': '结果所在的列：0 或 1、yes 或 no，或数值',
  'a number known before the groups were drawn, such as earlier spend': '分组前已知的数值，如此前的消费金额',
  'what each row cost': '每行成本所在的列',
  'what one more of the outcome is worth, in the unit of --cost': '结果每多一个的价值，单位与 --cost 相同',
  'shares the groups were drawn with: checks whether they are right':
    '分组时设定的比例，用于检查实际分组是否相符',
  'between columns (default: , or a tab in .tsv)': '列分隔符（默认：,；.tsv 文件为制表符）',
  'such as gbk (default: UTF-8)': '文件编码，如 gbk（默认：UTF-8）',
  'who bought, of all in each group': '各组中购买者的比例',
  'an amount, steadied by what the same people spent before': '比较金额，并用同一批人此前的消费校正',
  'what one more costs, what it is worth, and whether the groups have the sizes they should have':
    '每多一个的成本与价值，以及各组人数是否符合设定',

  // explain
  'Tell one contact’s whole story in words': '用文字说明一位联系人的完整经过',
  'Considered, taken in, contacted or not and why, every message with what became of it, returns and the end.':
    '何时考察、是否纳入、是否触达及原因，每条消息的去向，何时回来，如何结束。',
  'addresses and numbers as they are': '地址和号码不脱敏',
  'by the id your own system gives the contact': '使用您的系统给联系人的编号',
  'in Chinese': '用中文显示',

  // signals
  'What is known of everybody: how many are lost or only quiet, and how good the return model is':
    '查看信号：多少人已流失、多少人只是暂时沉默，回流模型准不准',
  'Shows how current the signals are, the quintiles’ last fit, and what the return model foresaw against what then happened. `winback start` keeps all of it up to date; --refresh and --refit do it now.':
    '显示信号的更新时间、五分位的最近拟合，以及回流模型的预测与实际对比。平时由 `winback start` 自动更新；--refresh 和 --refit 可立即更新。',
  'recompute the contacts whose events changed': '重新计算事件有变化的联系人',
  'with --refresh: everybody': '与 --refresh 合用：重新计算全部联系人',
  'fit quintiles and return model now': '立即拟合五分位和回流模型',
  'status and calibration': '查看状态与校准情况',
  'recompute whoever had events since': '重新计算此后有事件的联系人',
  'recompute everybody': '重新计算全部联系人',
}
