import { messageOf, type WinbackError } from '../../errors.ts'
import type { Language } from '../../reports/words.ts'

type Words = readonly [title: string, words: string]

/** Refusals that a page, a form or a link leads to: the command line says them in English alone. */
const IN_CHINESE: Readonly<Record<string, (facts: Readonly<Record<string, unknown>>) => Words>> = {
  'contact.none': () => ['尚无联系人', '请先运行 `winback import contacts FILE`。'],
  'contact.unknown': () => [
    '没有此联系人',
    '请核对导入文件中的编号；`winback import contacts` 可添加联系人。',
  ],
  'config.invalid': () => ['配置文件有误', '“活动”页列出了每一处；改好文件后请重试。'],
  'plan.changed': () => ['计划之后，活动、工作区或模板有改动', '请重新计划并查看结果。'],
  'plan.overtaken': ({ campaign, version }) => [
    `计划之后，${campaign} 已应用版本 ${version}`,
    '请重新计划并查看结果。',
  ],
  'erase.sending': () => ['正在向该联系人发送消息，尚未删除', '请两分钟后重试。'],
  'erase.rejects': ({ path }) => [
    `无法检查 ${path}，其中可能有该联系人的原始行；尚未删除`,
    '请处理或删除该文件，然后重试。',
  ],
  'refused.listed': () => ['该地址仍留在禁止联系名单中', '本人退订、投诉或已删除的，只有本人能够改变。'],
  'switch.stopped': ({ name, reason }) => [`活动 ${name} 已永久停止：${reason}`, '请以其他名称应用该活动。'],
  'usage.text': ({ length, most }) => [`内容过长：共 ${length} 个字符，最多 ${most} 个`, '请写得简短些。'],
  'workspace.edited': () => [
    '本进程启动之后，winback.yaml 有改动',
    '请重启 `winback start` 或 `winback web`，然后重新计划。',
  ],
  'users.name': ({ name }) => [
    `“${name}”不能用作用户名`,
    '请使用文字、数字和 . _ @ + -，如 ada 或 ada@shop.example。',
  ],
  'users.taken': ({ name }) => [`已有用户 ${name}`, '在用户列表中点击“新链接”，可重新设置密码。'],
  'users.last_admin': () => ['必须保留一位管理员', '请先将另一位用户设为管理员。'],
}

/** What was refused, and what to do, as whoever reads `language` is told it. */
export function refusalWords(error: WinbackError, language: Language): Words {
  const chinese = language === 'zh-CN' ? IN_CHINESE[error.code] : undefined
  return chinese?.(error.facts) ?? [messageOf(error), error.remedy ?? '']
}
