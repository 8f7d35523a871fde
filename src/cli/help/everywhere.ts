import { GROUPS } from '../verb.ts'

/** What the program itself says, its headings, and what verbs of several groups say alike. */
export const EVERYWHERE: Readonly<Record<string, string>> = {
  'Usage:': '用法：',
  'Arguments:': '参数：',
  'Options:': '选项：',
  'Global Options:': '通用选项：',
  'Commands:': '命令：',
  'Example:': '示例：',
  'Examples:': '示例：',
  [`${GROUPS.begin}:`]: '从这里开始：',
  [`${GROUPS.campaigns}:`]: '编写与检查活动：',
  [`${GROUPS.data}:`]: '导入数据：',
  [`${GROUPS.run}:`]: '运行：',
  [`${GROUPS.look}:`]: '查看结果：',
  [`${GROUPS.care}:`]: '日常维护：',

  'Wins lapsed users back, and says honestly whether it did': '召回流失用户，并如实说明召回是否有效',
  'New here?': '第一次使用？',
  '  $ winback init shop  a workspace of your own, with a campaign to begin from':
    '  $ winback init shop  创建自己的工作区，附带一个可直接上手的活动',
  '  $ npm run demo       the whole story in a minute, in a clone of the repository':
    '  $ npm run demo       在克隆的仓库中运行，一分钟看完全过程',
  'Help for one verb': '查看某个命令的帮助',
  'Help for one of these': '查看其中一个命令的帮助',

  'print the version': '显示版本号',
  'work as if started in this folder': '以此文件夹为当前目录运行',
  'the workspace file (default: winback.yaml here or in a folder above)':
    '工作区文件（默认：当前或上级文件夹中的 winback.yaml）',
  'one JSON document on stdout and nothing else': '标准输出只有一个 JSON 文档',
  'show causes and stacks of errors': '出错时显示原因和调用栈',
  'display help for command': '显示帮助',
  'en or zh-CN, or a variant (default: this machine’s)': 'en、zh-CN 或其变体（默认：本机的语言）',

  'names or files (default: all)': '活动名称或文件（默认：全部）',
  'the campaign': '活动',
  'external id': '联系人的外部编号',
  'as it stood then (default: now)': '以当时的情况为准（默认：现在）',
  'look into another schema, such as that of a replay': '查看其他 schema，例如演练所用的',
  'do not ask': '不再确认',
  'without asking, for a script': '不再确认，供脚本使用',
}
