import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import Handlebars from 'handlebars'
import { createTransport } from 'nodemailer'
import { parseFrontMatter } from '../../src/channels/templates/front-matter.ts'
import { createHelpers, HELPERS } from '../../src/channels/templates/helpers.ts'
import { textSource, tidyText } from '../../src/channels/templates/text.ts'
import { packageDirectory } from '../arena.ts'
import { serve } from '../child.ts'
import { NOW } from '../workspace.ts'

// The floor of the mail measurement: Handlebars and a nodemailer pool in a loop, over values that are already in
// memory. The template's files, its helpers and the pool's settings are those of the subject.

export interface Task {
  readonly port: number
  readonly messages: number
  readonly connections: number
  readonly messagesPerConnection: number
}
export interface Answer {
  readonly seconds: number
}

type Render = (view: object, data: object) => string

function compileTemplate(): { subject: Render; preheader: Render; html: Render; text: Render } {
  const read = (path: string) => readFileSync(join(packageDirectory, 'templates', path), 'utf8')
  const front = parseFrontMatter(read('coupon.en.hbs'), 'coupon.en.hbs')
  const layout = read('layouts/base.hbs')
  const partials = {
    button: 'button.hbs',
    days: 'days.en.hbs',
    footer: 'footer.en.hbs',
    site: 'site.hbs',
    ticket: 'ticket.en.hbs',
  }
  const engine = (source: (text: string) => string, noEscape: boolean) => {
    const handlebars = Handlebars.create()
    for (const [name, helper] of Object.entries(createHelpers())) {
      if (HELPERS.some((known) => known === name)) handlebars.registerHelper(name, helper)
    }
    for (const [name, file] of Object.entries(partials)) {
      handlebars.registerPartial(name, source(read(`partials/${file}`).replace(/\n+$/, '')))
    }
    return (text: string): Render => {
      const template = handlebars.compile(source(text), { noEscape })
      return (view, data) => template(view, { data })
    }
  }
  const html = engine((text) => text, false)
  const text = engine(textSource, true)
  const line = engine((source) => source, true)
  const laid = (body: Render, around: Render): Render => {
    return (view, data) => around(view, { ...data, body: body(view, data) })
  }
  const entry = (key: 'subject' | 'preheader') => line(front.entries.get(key)?.value ?? '')
  const textPart = laid(text(front.body), text(layout))
  return {
    subject: entry('subject'),
    preheader: entry('preheader'),
    html: laid(html(front.body), html(layout)),
    text: (view, data) => tidyText(textPart(view, data)),
  }
}

serve<Task, Answer>(async (task) => {
  const template = compileTemplate()
  const started = performance.now()
  const transport = createTransport({
    pool: true,
    host: '127.0.0.1',
    port: task.port,
    maxConnections: task.connections,
    maxMessages: task.messagesPerConnection,
  })
  const lastActive = new Date(NOW.getTime() - 5 * 86_400_000).toISOString()
  let next = 0
  const loop = async () => {
    while (next < task.messages) {
      next += 1
      const view = {
        contact: { first_name: `Person ${next}` },
        activity: { last_at: lastActive },
        offer: { name: 'five_off', kind: 'coupon', valid_days: 7, amount: 5, minimum: 0 },
        workspace: { name: 'Bench' },
        $locale: 'en',
        $timezone: 'Asia/Shanghai',
        $currency: 'CNY',
      }
      const data = { locale: 'en', subject: '', preheader: '', body: '' }
      const subject = template.subject(view, data)
      const around = { ...data, subject, preheader: template.preheader(view, data) }
      await transport.sendMail({
        from: 'Bench <bench@example.com>',
        to: `u${next}@example.com`,
        subject,
        html: template.html(view, around),
        text: template.text(view, around),
      })
    }
  }
  // More in hand than there are connections: the pool always has the next message ready.
  await Promise.all(Array.from({ length: task.connections * 4 }, loop))
  const seconds = (performance.now() - started) / 1000
  transport.close()
  return { seconds }
})
