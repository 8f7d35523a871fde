// Days that are not like others: public holidays, the weekend days worked in their place, and days on which nothing is
// sent. Dates are the recipient's own.

/** Years a country has published; other years know weekends alone. */
interface Holidays {
  /** Where the dates are from. */
  readonly source: string
  readonly years: readonly number[]
  /** Free days, `MM-DD` or a stretch `MM-DD..MM-DD`, by year. */
  readonly off: Readonly<Record<number, readonly string[]>>
  /** Weekend days that are worked. */
  readonly worked: Readonly<Record<number, readonly string[]>>
}

export const HOLIDAYS = {
  CN: {
    source:
      '国务院办公厅关于2025年部分节假日安排的通知 (2024-11-12) and 关于2026年部分节假日安排的通知 (国办发明电〔2025〕7号, 2025-11-04)',
    years: [2025, 2026],
    off: {
      2025: ['01-01', '01-28..02-04', '04-04..04-06', '05-01..05-05', '05-31..06-02', '10-01..10-08'],
      2026: [
        ...['01-01..01-03', '02-15..02-23', '04-04..04-06', '05-01..05-05', '06-19..06-21', '09-25..09-27'],
        '10-01..10-07',
      ],
    },
    worked: {
      2025: ['01-26', '02-08', '04-27', '09-28', '10-11'],
      2026: ['01-04', '02-14', '02-28', '05-09', '09-20', '10-10'],
    },
  },
} as const satisfies Record<string, Holidays>

export type Country = keyof typeof HOLIDAYS

/** What a send window asks of a day. Dates are `YYYY-MM-DD`. */
export interface Calendar {
  /** @param weekday 1 (Monday) to 7 */
  isWorkday(date: string, weekday: number): boolean
  /** Nothing is sent. */
  isBlackout(date: string): boolean
  /** True where days differ by more than their weekday. */
  readonly special: boolean
}

/** Monday to Friday, and no other rule. */
export const PLAIN_CALENDAR: Calendar = {
  isWorkday: (_date, weekday) => weekday <= 5,
  isBlackout: () => false,
  special: false,
}

/** A stretch of dates, both ends included. */
export interface DateSpan {
  readonly from: string
  readonly to: string
}

/** The calendar of a workspace. */
export function openCalendar(rules: {
  holidays?: Country | undefined
  blackout: readonly DateSpan[]
}): Calendar {
  const { holidays: country, blackout } = rules
  const off = new Set<string>()
  const worked = new Set<string>()
  if (country) {
    const { years, ...holidays }: Holidays = HOLIDAYS[country]
    for (const year of years) {
      for (const span of holidays.off[year] ?? []) for (const date of datesOf(year, span)) off.add(date)
      for (const date of holidays.worked[year] ?? []) worked.add(`${year}-${date}`)
    }
  }
  return {
    isWorkday: (date, weekday) => worked.has(date) || (weekday <= 5 && !off.has(date)),
    isBlackout: (date) => blackout.some(({ from, to }) => date >= from && date <= to),
    special: country !== undefined || blackout.length > 0,
  }
}

function datesOf(year: number, span: string): string[] {
  const [from = '', to = from] = span.split('..')
  const dates: string[] = []
  const end = Date.parse(`${year}-${to}T00:00:00Z`)
  for (let at = Date.parse(`${year}-${from}T00:00:00Z`); at <= end; at += 86_400_000) {
    dates.push(new Date(at).toISOString().slice(0, 10))
  }
  return dates
}
