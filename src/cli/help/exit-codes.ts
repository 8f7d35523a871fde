import { cellsOf } from '../../reports/layout.ts'
import type { Language } from '../../reports/words.ts'

const EXIT_CODES: Readonly<Record<Language, readonly [heading: string, ...codes: string[]]>> = {
  en: [
    'Exit codes: ',
    '0 fine',
    '1 the input is wrong',
    '2 used wrongly',
    '3 something does not answer',
    '4 refused by a safety',
    '70 a defect in Winback',
    '130 interrupted',
  ],
  'zh-CN': [
    '退出码：',
    '0 正常',
    '1 输入有误',
    '2 用法有误',
    '3 某项服务没有应答',
    '4 被安全检查拒绝',
    '70 Winback 自身的缺陷',
    '130 被中断',
  ],
}

/** What the exit codes mean, as many on a line as fit. */
export function exitCodesText(language: Language, width: number): string {
  const [heading, ...codes] = EXIT_CODES[language]
  const indent = ' '.repeat(cellsOf(heading))
  const lines: string[] = []
  let line = heading
  for (const [no, code] of codes.entries()) {
    const longer = no === 0 ? `${line}${code}` : `${line} · ${code}`
    if (cellsOf(longer) <= width || no === 0) line = longer
    else {
      lines.push(line)
      line = `${indent}${code}`
    }
  }
  return [...lines, line].join('\n')
}
