import { ENGLISH_PROBLEMS, type ProblemWords } from '../config/documents/problems.ts'
import type { Language } from '../reports/words.ts'

// What stands around an error, both languages beside each other. What the error itself says is English: so is what a
// script, a search and whoever helps would look for.

export interface FailureWords extends ProblemWords {
  readonly colon: string
  /** Between two sentences. */
  readonly space: string
  readonly because: string
  /** Before the place. */
  readonly at: string
  /** That files are wrong in so many places. */
  problems(count: number): string
  readonly mend: string
  readonly doctor: string
  /** A disk. */
  readonly full: string
  /** A disk or a database. */
  readonly readOnly: string
  /** A statement, by the database. */
  readonly cutShort: string
  readonly defect: string
  help(verb: string | undefined): string
}

export const FAILURE_WORDS: Readonly<Record<Language, FailureWords>> = {
  en: {
    ...ENGLISH_PROBLEMS,
    colon: ': ',
    space: ' ',
    because: 'because',
    at: 'at ',
    problems: (count) => `${count} problem${count === 1 ? '' : 's'} in the configuration`,
    mend: 'Mend each problem at its place; `winback validate` checks again.',
    doctor: 'Run `winback doctor` to see what does not answer, or which right is missing.',
    full: 'A disk is full, here or of the database: make room on it, and run this again.',
    readOnly:
      'Nothing can be written there: a disk that is mounted to be read alone, or a standby of the database, whose primary ' +
      'DATABASE_URL has to name.',
    cutShort:
      'The database ended what was under way: somebody asked it to, or the role has a limit that is too short. ' +
      '`winback doctor` names the limits.',
    defect: 'This is a defect in Winback. Run again with --verbose for the stack.',
    help: (verb) =>
      verb === undefined
        ? 'winback --help has the verbs.'
        : `winback ${verb} --help has the options and examples.`,
  },
  'zh-CN': {
    error: '错误',
    warning: '警告',
    colon: '：',
    space: '',
    because: '原因',
    at: '位置：',
    meant: (suggestion) => `；是否指 \`${suggestion}\`？`,
    more: (count) => `…… 另有 ${count} 处：请先修改以上各处；\`winback validate --json\` 列出全部`,
    problems: (count) => `配置中有 ${count} 处问题`,
    mend: '请逐处修改，再用 `winback validate` 检查。',
    doctor: '运行 `winback doctor` 查看哪项服务没有应答，或缺少哪项权限。',
    full: '磁盘已满（本机或数据库所在机器）：请腾出空间后重新运行。',
    readOnly: '无法写入：磁盘以只读方式挂载，或所连接的是数据库的备库（DATABASE_URL 须指向主库）。',
    cutShort:
      '数据库中止了正在进行的操作：有人要求中止，或该角色的时间限制太短。`winback doctor` 会列出这些限制。',
    defect: '这是 Winback 自身的缺陷。加上 --verbose 重新运行可查看调用栈。',
    help: (verb) =>
      verb === undefined ? 'winback --help 列出全部命令。' : `winback ${verb} --help 列出选项和示例。`,
  },
}
