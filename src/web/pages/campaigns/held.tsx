import type { Switch } from '../../../config/switches.ts'
import { switchReason } from '../../../reports/switch-reason.ts'
import type { Visit } from '../visit.ts'

/** What holds back more than one campaign, as a note each: a campaign that runs sends nothing for it either. */
export function HeldTogether({ visit, switches }: { visit: Visit; switches: readonly Switch[] }) {
  const { say, speech, language } = visit
  return switches
    .filter(({ scope }) => scope !== 'campaign')
    .map(({ scope, name, reason, since }) => {
      const all = scope === 'workspace'
      const what = all ? say('Everything', '全部发送') : speech.channel(name)
      const [at, why] = [speech.moment(since), switchReason(reason, language)]
      return (
        <p class="note bad">
          {say(`${what} is paused since ${at}: ${why}.`, `${what}自 ${at} 起已暂停：${why}。用`)}{' '}
          <code>winback resume {all ? '--all' : `--channel ${name}`}</code> {say('lets it go on.', '恢复。')}
        </p>
      )
    })
}
