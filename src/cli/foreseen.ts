import type { ForeseenRun, Hindrance } from '../audience/hindrances.ts'
import { switchReason } from '../reports/switch-reason.ts'
import type { Speech } from '../reports/words.ts'

/** What would refuse a run or hold it back, as a sentence; undefined where it would do its work. */
export function foreseenText(foreseen: ForeseenRun, campaign: string, speech: Speech): string | undefined {
  if (foreseen.state === 'runs') return undefined
  const en = speech.language === 'en'
  const why = hindranceText(foreseen, speech)
  switch (foreseen.state) {
    case 'refused':
      return en
        ? `The feed check refuses a run: ${feedText(foreseen.feed, speech)}. Import the missing activity first.`
        : `数据检查未通过，运行会被拒绝：${why}。请先导入缺失的活跃数据。`
    case 'paused': {
      const target = foreseen.by === 'workspace' ? '--all' : campaign
      return en
        ? `Nobody is taken in: ${why}. \`winback resume ${target}\` lets it go on.`
        : `不纳入任何人：${why}。用 \`winback resume ${target}\` 恢复。`
    }
    case 'stopped':
      return en
        ? `Nobody is taken in: ${why}, for good. Apply the campaign under another name.`
        : `不纳入任何人：${why}。请换一个名称重新应用。`
    case 'not_yet':
      return en ? `Nobody is taken in: the campaign starts on ${foreseen.why}.` : `不纳入任何人：${why}。`
    case 'over':
      return en ? `Nobody is taken in: the campaign ended on ${foreseen.why}.` : `不纳入任何人：${why}。`
  }
}

/** The same in a few words, without what to do about it; in English as it is recorded. */
export function hindranceText(hindrance: Hindrance, speech: Speech): string {
  if (speech.language === 'en') return hindrance.note
  switch (hindrance.state) {
    case 'refused':
      return feedText(hindrance.feed, speech)
    case 'paused':
      return `${hindrance.by === 'workspace' ? '整个工作区' : '本活动'}已暂停（${switchReason(hindrance.why, speech.language)}）`
    case 'stopped':
      return `本活动已永久停止（${switchReason(hindrance.why, speech.language)}）`
    case 'not_yet':
      return `活动于 ${hindrance.why} 开始`
    case 'over':
      return `活动已于 ${hindrance.why} 结束`
  }
}

function feedText(feed: Extract<Hindrance, { state: 'refused' }>['feed'], speech: Speech): string {
  const en = speech.language === 'en'
  switch (feed.fault) {
    case 'never':
      return en ? 'no activity has ever arrived' : '从未收到任何活跃数据'
    case 'late': {
      const newest = feed.newestAt ? speech.moment(feed.newestAt) : ''
      return en
        ? `the newest activity is of ${newest}, older than feed.max_lag allows`
        : `最新的活跃数据停在 ${newest}，超出 feed.max_lag`
    }
    case 'thin': {
      const [day, normal] = [speech.count(feed.lastDay), speech.count(feed.normal ?? 0)]
      return en
        ? `the last whole day brought ${day} events where ${normal} are normal, less than feed.min_volume allows`
        : `上一个整日只有 ${day} 条活跃数据，正常为 ${normal} 条，低于 feed.min_volume`
    }
  }
}
