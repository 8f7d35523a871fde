import { readReport } from './overview.ts'
import { formatReport } from './overview-text.ts'
import type { Report } from './report.ts'
import { readTimeline } from './timeline.ts'
import { formatTimeline } from './timeline-text.ts'

/** Every report by name: how it is read, and how it is written as text. JSON is what `read` returns. */
export const reports = {
  overview: {
    name: 'overview',
    title: { en: 'Who was won back, and what it cost', 'zh-CN': '召回了谁，花了多少' },
    read: readReport,
    format: formatReport,
  },
  timeline: {
    name: 'timeline',
    title: { en: 'Everything that happened with one contact', 'zh-CN': '一个联系人的全部经过' },
    read: readTimeline,
    format: formatTimeline,
  },
} satisfies Readonly<Record<string, Report<never, unknown>>>
