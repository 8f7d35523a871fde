import { readCost } from './cost/cost.ts'
import { costSheet } from './cost/cost-text.ts'
import { deliverySheet, readDelivery } from './delivery.ts'
import { funnelSheet, readFunnel } from './funnel.ts'
import { leavingSheet, readLeaving } from './leaving.ts'
import { readLift } from './lift/lift.ts'
import { liftSheet } from './lift/lift-text.ts'
import { readMonday } from './monday/monday.ts'
import { mondaySheet } from './monday/monday-text.ts'
import { offersSheet, readOffers } from './offers.ts'
import { readReport } from './overview/overview.ts'
import { formatReport } from './overview/overview-text.ts'
import type { Report } from './report.ts'
import { sheetReport } from './sheet-report.ts'
import { readTimeline } from './timeline/timeline.ts'
import { formatTimeline } from './timeline/timeline-text.ts'

/** Reports about one campaign, read from sums that are kept up to date: an answer takes no longer as history grows. */
export const sheetReports = {
  monday: sheetReport({
    name: 'monday',
    title: {
      en: 'Monday: who was won back, at what price, and did we annoy anybody',
      'zh-CN': '周一速览：召回、成本与打扰',
    },
    read: readMonday,
    sheet: mondaySheet,
  }),
  funnel: sheetReport({
    name: 'funnel',
    title: {
      en: 'Where everyone is, from considered to redeemed',
      'zh-CN': '从考察到核销，每个人走到了哪一步',
    },
    read: readFunnel,
    sheet: funnelSheet,
  }),
  lift: sheetReport({
    name: 'lift',
    title: { en: 'Won back by us, by tier, segment and day', 'zh-CN': '按阶段、分群与天数的增量' },
    read: readLift,
    sheet: liftSheet,
  }),
  cost: sheetReport({
    name: 'cost',
    title: { en: 'What it cost, and what one won back costs', 'zh-CN': '花了多少，每多召回一人多少钱' },
    read: readCost,
    sheet: costSheet,
  }),
  delivery: sheetReport({
    name: 'delivery',
    title: { en: 'Did it arrive, by channel and domain', 'zh-CN': '按渠道与域名的送达' },
    read: readDelivery,
    sheet: deliverySheet,
  }),
  offers: sheetReport({
    name: 'offers',
    title: { en: 'What was offered, and taken up', 'zh-CN': '优惠的发放与核销' },
    read: readOffers,
    sheet: offersSheet,
  }),
  reasons: sheetReport({
    name: 'reasons',
    title: { en: 'Why people leave', 'zh-CN': '流失原因' },
    read: readLeaving,
    sheet: leavingSheet,
  }),
}

export type SheetName = keyof typeof sheetReports

/** Every report by name: how it is read, and how it is written as text. JSON is what `read` returns. */
export const reports = {
  ...sheetReports,
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
