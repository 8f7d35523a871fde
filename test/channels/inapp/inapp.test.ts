import { describe, expect, it } from 'vitest'
import { describeChannel } from '../../../src/channels/conformance.ts'
import { inapp, openInapp } from '../../../src/channels/inapp/inapp.ts'
import { inappSettings } from '../../../src/channels/inapp/settings.ts'

const li = { contactId: 1, externalId: 'c-1', email: null, phone: null, locale: 'en', timezone: 'UTC' }
const template = {
  name: 'welcome',
  render: () => ({ front: { subject: ' Hello  Li ', url: '/gift' }, html: '<p>Hi</p>', text: 'Hi\n' }),
}

describeChannel(
  'inapp',
  {
    module: inapp,
    reachable: [li, { ...li, email: 'li@x.example' }],
    unreachable: [],
    template,
    view: {},
    open: async () => ({
      channel: openInapp(inappSettings.parse({})),
      faults: [],
      heal: () => {},
      stop: () => {},
    }),
  },
  { describe, it },
)

describe('a message in the app', () => {
  it('is handed over with what is to be kept, and needs a title', async () => {
    const channel = openInapp(inappSettings.parse({}))
    const content = channel.render(template, {}, li)
    const kept = { locale: 'en', title: 'Hello Li', text: 'Hi', html: '<p>Hi</p>', url: '/gift' }
    expect(
      await channel.send({ contactId: 1, touchpointId: 2, key: 'tp-2', address: 'c-1', content }),
    ).toEqual({
      outcome: 'sent',
      providerId: 'tp-2',
      keep: { kind: 'inapp', ...kept },
    })
    // The language of the text, which is another where the app's user reads one that there is no text in.
    expect(channel.render({ ...template, locale: 'zh-CN' }, {}, li)).toEqual({ ...kept, locale: 'zh-CN' })
    const untitled = { name: 'bare', render: () => ({ front: {}, html: '' }) }
    expect(() => channel.render(untitled, {}, li)).toThrow('without a subject')
    await channel.close()
  })
})
