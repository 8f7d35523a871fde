import type { RunResult } from '../../audience/run.ts'
import type { Language, Phrases } from '../../reports/words.ts'

// How a run ended, both languages beside each other.

export const RUN_STATES: Phrases<RunResult['state']> = {
  done: { en: 'done', 'zh-CN': '已完成' },
  already_done: { en: 'already done', 'zh-CN': '此前已完成' },
  refused: { en: 'refused', 'zh-CN': '被拒绝' },
  paused: { en: 'paused', 'zh-CN': '已暂停' },
  stopped: { en: 'stopped', 'zh-CN': '已停止' },
  not_yet: { en: 'not yet', 'zh-CN': '尚未开始' },
  over: { en: 'over', 'zh-CN': '已结束' },
}

/** Notes of runs that nothing held back and that ended otherwise than by themselves. */
const NOTES: Readonly<Record<string, string>> = {
  'stopped during the run': '运行途中活动被停止',
  'ended by another process': '已由另一进程完成',
}

/** A run's note, which is kept in English. */
export function noteText(note: string, language: Language): string {
  return language === 'en' ? note : (NOTES[note] ?? note)
}
