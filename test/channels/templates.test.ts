import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { countSegments } from '../../src/channels/sms/segments.ts'
import { textSource } from '../../src/channels/templates/text.ts'
import { parseTemplates, readTemplateFiles } from '../../src/channels/templates.ts'
import type { Problem } from '../../src/errors.ts'
import { hasBrowser, NARROW, openWindow } from '../support/browser.ts'

const meta = { $locale: 'en', $timezone: 'Asia/Shanghai', $currency: 'CNY' }

/** One template with this body; renders, or throws what is wrong with it. */
function render(body: string, view: Record<string, unknown> = {}, more: Record<string, string> = {}) {
  const set = parseTemplates({ 't.en.hbs': `---\nsubject: Hi\n---\n${body}`, ...more })
  const template = set.find('t', { locale: 'en' })
  if (!template) throw new Error(JSON.stringify(set.problems()))
  return template.render({ ...meta, ...view })
}

function problemsOf(files: Record<string, string>, locales?: string[]): string[] {
  return parseTemplates(files, locales ? { locales } : {})
    .problems()
    .map(describeProblem)
}

function describeProblem({ severity, location, message, suggestion }: Problem): string {
  const place = [location.file, location.line, location.column].filter((part) => part !== undefined).join(':')
  return `${place} ${severity} ${message}${suggestion === undefined ? '' : ` (${suggestion}?)`}`
}

const withSubject = (body: string) => `---\nsubject: Hi\n---\n${body}`

describe('finding a template', () => {
  const say = (text: string) => withSubject(`<p>${text}</p>`)
  const set = parseTemplates(
    {
      'a.zh-CN.hbs': say('zh-CN'),
      'a.zh-CN.vip.hbs': say('zh-CN vip'),
      'a.en.hbs': say('en'),
      'a.pt.hbs': say('pt'),
      'a.pt-BR.vip.hbs': say('pt-BR vip'),
    },
    { locales: ['zh-CN', 'en', 'pt'] },
  )
  it.for([
    ['zh-CN', 'vip', 'zh-CN vip'],
    ['zh-CN', 'other', 'zh-CN'],
    ['zh-CN', undefined, 'zh-CN'],
    ['en', 'vip', 'en'],
    ['en-GB', 'vip', 'en'],
    ['pt-BR', 'vip', 'pt-BR vip'],
    ['pt-BR', undefined, 'pt'],
    ['fr', undefined, 'zh-CN'],
    ['fr', 'vip', 'zh-CN vip'],
  ] as const)('%s, %s → %s', ([locale, segment, text]) => {
    expect(set.find('a', { locale, segment })?.render(meta).text).toBe(text)
  })
  it('finds the language of the first locale, and takes in what is written in it', () => {
    const files = { 'a.en.hbs': say('en'), 'b.de.hbs': say('de {{> foot}}'), 'partials/foot.en.hbs': 'bye' }
    const british = parseTemplates(files, { locales: ['en-GB', 'de'] })
    expect(british.find('a', { locale: 'de' })?.render(meta).text).toBe('en')
    expect(british.find('b', { locale: 'de' })?.render(meta).text).toBe('de bye')
  })
  it('finds nothing of another name, and lists what there is', () => {
    expect(set.find('b', { locale: 'en' })).toBeUndefined()
    expect(set.names()).toEqual(['a'])
    expect(set.segmentsOf('a')).toEqual(['vip'])
    expect(set.segmentsOf('b')).toEqual([])
  })
  it('compiles a variant once', () => {
    expect(set.find('a', { locale: 'en' })).toBe(set.find('a', { locale: 'en-GB' }))
  })
})

describe('rendering', () => {
  it('escapes values in HTML, and in neither the front matter nor the text', () => {
    const set = parseTemplates({
      't.en.hbs': '---\nsubject: Hi {{name}}\npreheader: "For {{name}} & co"\n---\n<p>Hi {{name}}</p>',
    })
    const rendered = set.find('t', { locale: 'en' })?.render({ ...meta, name: `<i>O'Neil & "Li"</i>` })
    expect(rendered).toEqual({
      front: { subject: `Hi <i>O'Neil & "Li"</i>`, preheader: `For <i>O'Neil & "Li"</i> & co` },
      html: '<p>Hi &lt;i&gt;O&#x27;Neil &amp; &quot;Li&quot;&lt;/i&gt;</p>',
      text: `Hi <i>O'Neil & "Li"</i>`,
    })
  })

  it('never lets a value into the HTML as markup', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'<>&"\'`={}/ab!-') }), (name) => {
        const { html } = render('<p title="{{name}}">{{name}}</p>', { name: `x${name}` })
        expect(html.replaceAll(/&(amp|lt|gt|quot|#x27|#x60|#x3D);/g, '')).toMatch(
          /^<p title="[^<>"&]*">[^<>&]*<\/p>$/,
        )
      }),
    )
  })

  it.for([undefined, null, ''])('refuses to print a blank: %j', (name) => {
    const view = name === undefined ? { contact: {} } : { contact: { first_name: name } }
    expect(() => render('<p>Hi {{contact.first_name}}!</p>', view)).toThrow(
      'templates/t.en.hbs: no value was given for contact.first_name',
    )
    expect(() =>
      render('Hi', { ...view, x: 1 }, { 't.en.hbs': '---\nsubject: Hi {{contact.first_name}}\n---\n' }),
    ).toThrow('no value was given for contact.first_name')
  })

  it('prints zero and false, which are values', () => {
    expect(render('{{n}} {{b}}', { n: 0, b: false }).html).toBe('0 false')
  })

  it('reaches no prototype', () => {
    class Contact {
      get secret() {
        return 'secret'
      }
      method() {
        return 'called'
      }
    }
    const view = { contact: new Contact(), list: [1], text: 'abc' }
    for (const path of [
      'contact.secret',
      'contact.method',
      'contact.constructor',
      'contact.constructor.name',
      'contact.__proto__',
      'list.map',
      'text.toUpperCase',
      'constructor',
      'toString',
      '__proto__.toString',
      '__defineGetter__',
    ]) {
      expect(() => render(`{{${path}}}`, view), path).toThrow(/no value was given for/)
    }
  })

  it('offers if, unless, each, with and eq', () => {
    const view = { n: 2, none: null, seg: 'vip', xs: [{ t: 'a' }, { t: 'b' }], o: { p: 'q' }, top: 'T' }
    const body =
      '{{#if n}}1{{else}}0{{/if}}{{#if none}}1{{else}}0{{/if}}{{#unless none}}u{{/unless}}' +
      '{{#each xs}}{{t}}{{../top}}{{@index}}{{/each}}{{#each xs as |x i|}}{{x.t}}{{i}}{{/each}}' +
      "{{#with o}}{{p}}{{/with}}{{#if (eq seg 'vip')}}V{{/if}}"
    expect(render(body, view).html).toBe('10uaT0bT1a0b1qV')
  })

  it('formats by locale, currency and zone', () => {
    const view = { a: 5, b: 5.5, c: '1234.5', n: 1234.567, at: '2026-03-01T17:00:00Z' }
    const body =
      '{{money a}}|{{money b}}|{{money c}}|{{number n}}|{{number n digits=0}}|{{date at}}|{{date at style="day"}}|{{date at "month"}}'
    expect(render(body, view).text).toBe('¥5|¥5.50|¥1,234.50|1,234.57|1,235|March 2, 2026|March 2|March 2026')
    expect(render(body, { ...view, $locale: 'zh-CN' }).text).toBe(
      '¥5|¥5.50|¥1,234.50|1,234.57|1,235|2026年3月2日|3月2日|2026年3月',
    )
    expect(render('{{date at}}', { ...view, $timezone: 'America/New_York' }).text).toBe('March 1, 2026')
    expect(render('{{money a}}', { ...view, $currency: 'EUR', $locale: 'de-DE' }).html).toBe('5\u00a0€')
  })

  it.for([
    ['{{money a}}', { a: null }, /money}} needs a number, found null/],
    ['{{money a}}', {}, /money}} needs a number, found no value/],
    ['{{number a}}', { a: 'many' }, /needs a number, found "many"/],
    ['{{date a}}', { a: 'soon' }, /needs an instant, found "soon"/],
    ['{{date a style=b}}', { a: new Date(0), b: 'loud' }, /no style `loud`: use short, medium/],
    ['{{date a}}', { a: new Date(0), $timezone: undefined }, /needs \$timezone/],
  ] as const)('%s of %j fails by name', ([body, view, message]) => {
    expect(() => render(body, view)).toThrow(message)
  })

  it('lays the layout around the body and takes partials in its language', () => {
    const set = parseTemplates(
      {
        't.en.hbs':
          '---\nsubject: Hi {{name}}\npreheader: There\nlayout: base\n---\n<p>{{name}}</p>\n{{> sign who="us"}}',
        't.fr.hbs': '---\nsubject: Salut\nlayout: base\n---\n<p>{{name}}</p>{{> sign who="nous"}}',
        'layouts/base.hbs':
          '<html lang="{{@locale}}"><title>{{@subject}}</title>{{#if @preheader}}<i class="preheader">{{@preheader}}</i>{{/if}}{{{@body}}}\n{{> foot}}\n</html>',
        'partials/sign.hbs': '<p>-- {{who}}, {{name}}</p>\n',
        'partials/foot.en.hbs': '<p>Bye</p>\n',
        'partials/foot.fr.hbs': '<p>Adieu</p>\n',
      },
      { locales: ['en', 'fr'] },
    )
    expect(set.problems()).toEqual([])
    expect(set.find('t', { locale: 'en' })?.render({ ...meta, name: 'Li' })).toEqual({
      front: { subject: 'Hi Li', preheader: 'There' },
      html: '<html lang="en"><title>Hi Li</title><i class="preheader">There</i><p>Li</p>\n<p>-- us, Li</p>\n<p>Bye</p></html>',
      text: 'Li\n\n-- us, Li\n\nBye',
    })
    expect(set.find('t', { locale: 'fr-CA' })?.render({ ...meta, name: 'Li' }).html).toBe(
      '<html lang="fr"><title>Salut</title><p>Li</p><p>-- nous, Li</p>\n<p>Adieu</p></html>',
    )
  })
})

describe('what is wrong with one template', () => {
  it('is what is wrong with its files in each language, its layout and the partials of both', () => {
    const broken = '{{#if contact.a}}'
    const front = '---\nsubject: Hi\n---\n'
    const set = parseTemplates(
      {
        'sound.en.hbs': `${front}{{> fine}}`,
        'sound.fr.hbs': `${front}{{> fine}}`,
        'own.en.hbs': `${front}Hello`,
        'own.fr.hbs': `${front}${broken}`,
        'framed.en.hbs': '---\nsubject: Hi\nlayout: base\n---\nHello',
        'some.en.vip.hbs': `${front}Hello`,
        'layouts/base.hbs': '{{{@body}}}{{> foot}}',
        'partials/fine.hbs': 'Bye',
        'partials/foot.hbs': '{{> nowhere}}',
        'partials/draft.hbs': broken,
      },
      { locales: ['en', 'fr'] },
    )
    const errorsOf = (name?: string) =>
      set.problems(name).flatMap(({ severity, location }) => (severity === 'error' ? [location.file] : []))
    expect(errorsOf('sound')).toEqual([])
    expect(errorsOf('own')).toEqual(['templates/own.fr.hbs'])
    expect(errorsOf('framed')).toEqual(['templates/partials/foot.hbs'])
    expect(errorsOf('some')).toEqual(['templates/some.en.hbs', 'templates/some.fr.hbs'])
    expect(errorsOf()).toContain('templates/partials/draft.hbs')
  })
})

describe('the plain text', () => {
  it('keeps paragraphs, links and lines of a table, and drops what is not for reading', () => {
    const body =
      '<style>p{}</style><div class="preheader">hidden</div><h1>Title {{name}}</h1>\n<p>One\n  two</p>\n{{#if no}}\n<p>Never</p>\n{{/if}}\n{{!-- <b>remark</b> --}}\n' +
      '<table><tr><td>A</td> <td>{{name}}</td></tr><tr><td>B</td> <td>2</td></tr></table>\n{{> note}}\n<p><a href="https://x.example/?a={{name}}">Go</a></p>'
    expect(render(body, { name: 'Li', no: false }, { 'partials/note.hbs': '<p>Note</p>' }).text).toBe(
      'Title Li\n\nOne two\n\nA Li\nB 2\n\nNote\n\nGo ( https://x.example/?a=Li )',
    )
  })
  it('leaves every mustache as it was', () => {
    expect(textSource('<p>{{#if (eq a "<b>")}}{{money  b}}{{else}}x{{/if}}</p>')).toBe(
      '{{#if (eq a "<b>")}}{{money  b}}{{else}}x{{/if}}',
    )
  })
})

describe('variables', () => {
  const files = {
    'a.en.hbs':
      "---\nsubject: Hi {{contact.first_name}}\nlayout: base\n---\n<p>{{money orders.total}}</p>\n  {{#if (eq segment 'vip')}}{{date orders.last_at style=look}}{{/if}}\n{{#each items as |item|}}{{item.name}}{{price}}{{../currency}}{{@index}}{{/each}}\n{{#with offer}}{{amount}}{{@root.locale}}{{/with}}{{> sign who=contact.title}}",
    'a.zh-CN.hbs': withSubject('{{only.zh}}'),
    'a.en.vip.hbs': withSubject('{{only.vip}} {{$locale}}'),
    'b.en.hbs': withSubject('{{b}}'),
    'layouts/base.hbs': '{{@subject}}{{{@body}}}{{workspace.name}}',
    'partials/sign.hbs': '{{who}} {{sign.off}}',
  }
  const set = parseTemplates(files, { locales: ['en', 'zh-CN'] })

  it('come from every variant, the layout, the partials and the front matter', () => {
    expect([...new Set(set.variables('a').map(({ path }) => path))].sort()).toEqual([
      'contact.first_name',
      'contact.title',
      'currency',
      'items',
      'items[].name',
      'items[].price',
      'locale',
      'look',
      'offer',
      'offer.amount',
      'only.vip',
      'only.zh',
      'orders.last_at',
      'orders.total',
      'segment',
      'sign.off',
      'workspace.name',
    ])
    expect(set.variables('nothing')).toEqual([])
  })
  it('say where they stand', () => {
    const at = (path: string) => {
      const found = set.variables('a').find((variable) => variable.path === path)
      return found && `${found.file}:${found.line}:${found.column}`
    }
    expect(at('contact.first_name')).toBe('templates/a.en.hbs:2:15')
    expect(at('orders.total')).toBe('templates/a.en.hbs:5:12')
    expect(at('segment')).toBe('templates/a.en.hbs:6:13')
    expect(at('workspace.name')).toBe('templates/layouts/base.hbs:1:26')
    expect(at('sign.off')).toBe('templates/partials/sign.hbs:1:11')
  })
})

describe('variables of one segment', () => {
  const set = parseTemplates(
    {
      't.en.hbs': '---\nsubject: Hi {{contact.first_name}}\n---\n{{contact.city}}',
      't.en.vip.hbs': '---\nsubject: Hi {{contact.first_name}}\n---\n{{orders.total}}',
      't.zh-CN.hbs': '---\nsubject: {{contact.last_name}}\n---\n',
    },
    { locales: ['en', 'zh-CN'] },
  )
  const paths = (segment?: string) => [...new Set(set.variables('t', segment).map(({ path }) => path))].sort()

  it('are those of the files a contact of that segment may get, in any language', () => {
    expect(paths('everyone')).toEqual(['contact.city', 'contact.first_name', 'contact.last_name'])
    expect(paths('vip')).toEqual(['contact.first_name', 'contact.last_name', 'orders.total'])
    expect(paths()).toEqual(['contact.city', 'contact.first_name', 'contact.last_name', 'orders.total'])
  })

  it('are optional where an {{#if}} asks for them first', () => {
    const asked = parseTemplates({
      't.en.hbs':
        '---\nsubject: Hi\n---\n{{#if contact.city}}{{contact.city}}{{contact.street}}{{else}}{{contact.zip}}{{/if}}' +
        '{{#unless orders.count}}{{orders.last_at}}{{else}}{{orders.count}}{{/unless}}',
    })
    const needed = asked.variables('t').flatMap(({ path, optional }) => (optional ? [] : [path]))
    expect(needed).toEqual(['contact.street', 'contact.zip', 'orders.last_at'])
  })
})

describe('problems', () => {
  it('name file, line, column, and what was meant', () => {
    expect(
      problemsOf({
        'a.en.hbs': withSubject('<p>ok</p>\n  {{mony orders.total}}'),
        'b.en.hbs': withSubject('{{#ech xs}}{{/ech}}'),
        'c.en.hbs': withSubject('{{> futer}}'),
        'd.en.hbs': '---\nsubjct: Hi\nsubject: Hi\nlayout: bse\n---\n',
        'e.en.hbs': '---\npreheader: Hi\n---\n<p>Hi</p>',
        'f.en.hbs': withSubject('{{{raw}}} {{&also}}'),
        'g.en.hbs': withSubject('{{money}}'),
        'h.en.hbs': withSubject('{{lookup a "b"}} {{@oops}}'),
        'i.en.hbs': withSubject('{{#> layout}}{{/layout}}'),
        'partials/footer.hbs': 'bye',
        'layouts/base.hbs': '{{{@body}}}',
      }),
    ).toEqual([
      'templates/a.en.hbs:5:3 error unknown helper `mony` (money?)',
      'templates/b.en.hbs:4:1 error unknown block {{#ech}} (each?)',
      'templates/c.en.hbs:4:1 error no partial `futer` in templates/partials (footer?)',
      'templates/d.en.hbs:2:1 error unknown key `subjct` (subject?)',
      'templates/d.en.hbs:4:9 error no layout `bse` in templates/layouts (base?)',
      'templates/e.en.hbs:1:1 error the template has no subject, which an e-mail needs',
      'templates/f.en.hbs:4:1 error {{{raw}}} would put a value into the HTML unescaped: use {{raw}}',
      'templates/f.en.hbs:4:11 error {{{also}}} would put a value into the HTML unescaped: use {{also}}',
      'templates/g.en.hbs:4:1 error the helper `money` needs a value',
      'templates/h.en.hbs:4:1 error unknown helper `lookup`; there are if, unless, each, with, eq, money, number, date, chart',
      'templates/h.en.hbs:4:20 error unknown value `@oops`',
      'templates/i.en.hbs:4:1 error {{#> …}} is not supported: name a layout in the front matter, or use {{> partial}}',
    ])
  })

  it('tell once of a subject that is misspelt, and of a partial that another language has', () => {
    const bodies = { wide: 'subject：Hi', capital: 'Subject: Hi' }
    for (const [name, says] of [
      ['wide', 'templates/a.en.hbs:2:8 error `：` is the full-width colon; write `:`'],
      ['capital', 'templates/a.en.hbs:2:1 error unknown key `Subject` (subject?)'],
    ] as const) {
      expect(problemsOf({ 'a.en.hbs': `---\n${bodies[name]}\n---\nx` })).toEqual([says])
    }
    expect(problemsOf({ 'a.en.hbs': withSubject('{{> foot}}'), 'partials/foot.de.hbs': 'x' })).toContain(
      'templates/a.en.hbs:4:1 error the partial `foot` is not there in en; write partials/foot.en.hbs, or partials/foot.hbs for every language',
    )
  })

  it('a partial that takes in others ten times over is not written out', () => {
    const partials = Array.from({ length: 12 }, (_, no): [string, string] => [
      `partials/p${no}.hbs`,
      `{{> p${no + 1}}}`.repeat(10),
    ])
    expect(
      problemsOf({
        'a.en.hbs': withSubject('{{b}} {{> p0}} {{> p0}}'),
        ...Object.fromEntries(partials.slice(0, 11)),
        'partials/p11.hbs': '{{c}}',
      }).filter((each) => each.includes('/a.en.hbs')),
    ).toEqual([
      'templates/a.en.hbs:4:7 error up to here, partials and loops included, the text fills in more than 20,000 values; shorten it',
    ])
  })

  const mistakes = [
    [
      'a\n {{#if a}}{{#each b}}x{{/each}}',
      'a.en.hbs:6:2',
      /\{\{#if\}\} is closed nowhere; end it with \{\{\/if\}\}$/,
    ],
    ['{{!-- {{#if a}} --}}{{#unless a}}x', 'a.en.hbs:5:21', /\{\{#unless\}\} is closed nowhere/],
    [`\n${'{{#if a}}'.repeat(5000)}`, 'a.en.hbs:6:451', /\{\{#if\}\} stands more than 50 blocks deep/],
    [
      `{{#if a}}${'{{else if b}}{{#if a}}x{{/if}}\n'.repeat(501)}{{/if}}`,
      'a.en.hbs:505:1',
      /more than the 500th \{\{else if\}\}/,
    ],
    [`{{#if (eq "((" ${'(eq 1 '.repeat(20_000)}`, 'a.en.hbs:5:310', /more than 50 brackets deep/],
    [`<br><p>${'<div>\n'.repeat(201)}`, 'a.en.hbs:205:1', /more than 200 elements are open here/],
    ['{{a}}'.repeat(20_001), 'a.en.hbs:5:100001', /fills in more than 20,000 values; shorten it$/],
    [
      `${'{{#each m}}'.repeat(8)}x${'{{/each}}'.repeat(8)}`,
      'a.en.hbs:5:45',
      /loops included, the text fills in more than 20,000 values; shorten it$/,
    ],
    ['{{#if a > 3}}b{{/if}}', 'a.en.hbs:5:9', /`>` compares nothing here; \{\{#if \(eq a b\)\}\}/],
    ['{{#if a}}b{{elseif c}}d{{/if}}', 'a.en.hbs:5:11', /unknown helper `elseif`; write \{\{else if …\}\}/],
    ['{{date a.at style="shrt"}}', 'a.en.hbs:5:19', /has no style `shrt`; there are short, .* \(short\?\)$/],
    ['{{#if (eq (date a.at style="x") "y")}}z{{/if}}', 'a.en.hbs:5:28', /\{\{date\}\} has no style `x`/],
    ['{{number a.b digits=200}}', 'a.en.hbs:5:21', /\{\{number\}\} has no `200` digits; there are 0 to 20$/],
    [
      '{{number a.b digit=0}}',
      'a.en.hbs:5:14',
      /\{\{number\}\} has no option `digit`; there is digits( \(digits\?\))?$/,
    ],
    ['{{#if (eq a.b c=1)}}x{{/if}}', 'a.en.hbs:5:15', /\{\{eq\}\} has no option `c`$/],
    ['{{number a.b digits="two"}}', 'a.en.hbs:5:21', /has no `two` digits/],
    [
      '[[contact.first_name]]',
      'a.en.hbs:5:1',
      /would be sent as it stands; write \{\{contact.first_name\}\}/,
    ],
    ['Hi %contact.first_name%', 'a.en.hbs:5:4', /would be sent as it stands/],
    ['a{{else}}b', 'a.en.hbs:5:2', /\{\{else\}\} stands in no block/],
    ['{{#if a}}{{else}}{{/if}} b{{/if}}', 'a.en.hbs:5:27', /\{\{\/if\}\} closes nothing; take it out$/],
    ['{{ a | upper }}', 'a.en.hbs:5:5', /found `\|` \(there are no filters/],
    ['ok {{{{', 'a.en.hbs:5:7', /found the end of the text \(is a `\}\}` missing\?\)/],
    [
      'line\n{{#if a}}x{{/each}}',
      'a.en.hbs:6:4',
      /\{\{#if\}\} is closed by \{\{\/each\}\}; write \{\{\/if\}\}$/,
    ],
    ['ok\nand {{contact.first_name\n<p>', 'a.en.hbs:6:24', /is a `}}` missing/],
    ['ok\n{{> }}', 'a.en.hbs:6:4', /found `}}`/],
  ] as const
  it.for(mistakes.map(([body, place, message]) => ({ begins: body.slice(0, 40), body, place, message })))(
    'syntax: $begins at $place',
    ({ body, place, message }) => {
      const [problem, ...more] = problemsOf({
        'a.en.hbs': `---\nsubject: Hi\nlayout: base\n---\n${body}`,
        'layouts/base.hbs': '{{{@body}}}',
      })
      expect(more).toEqual([])
      expect(problem).toContain(place)
      expect(problem).toMatch(message)
    },
  )

  it('name what looks as if it were filled in, and would be sent as it stands', () => {
    expect(
      problemsOf({
        'a.en.hbs':
          '---\nsubject: Hi {contact.first_name}\n---\n<p style="a{color:red}">{{contact.first_name}} ${ orders.total }\n｛｛contact.first_name｝｝ {b} ${c} {"d":{"e":1}}',
        'partials/footer.hbs': '{workspace.name}',
      }),
    ).toEqual([
      'templates/a.en.hbs:2:13 error `{contact.first_name}` would be sent as it stands; write {{contact.first_name}}',
      'templates/a.en.hbs:4:48 error `${ orders.total }` would be sent as it stands; write {{orders.total}}',
      'templates/a.en.hbs:5:1 error `｛｛contact.first_name｝｝` would be sent as it stands; write {{contact.first_name}}',
      'templates/partials/footer.hbs:1:1 error `{workspace.name}` would be sent as it stands; write {{workspace.name}}',
    ])
  })

  it('find nothing in placeholders as providers name them: in capitals, and by number', () => {
    const front = '---\nparam_1: {{a}}\nparam_userName: {{a}}\n---\nHi'
    expect(problemsOf({ 'hi-sms.en.hbs': front })).toEqual([])
  })

  it('point into the front matter', () => {
    expect(
      problemsOf({
        'a.en.hbs':
          '---\nsubject: "Hi {{mony x}}"\npreheader: {{#if}}\n\n# remark\nnonsense\nsubject: again\nfrom_name:\n---\n',
      }),
    ).toEqual([
      'templates/a.en.hbs:2:14 error unknown helper `mony` (money?)',
      'templates/a.en.hbs:3:12 error {{#if}} is closed nowhere; end it with {{/if}}',
      'templates/a.en.hbs:6:1 error expected `key: value`',
      'templates/a.en.hbs:7:1 error `subject` is given twice',
      'templates/a.en.hbs:8:11 error `from_name` has no value',
    ])
    expect(problemsOf({ 'a.en.hbs': '---\nsubject: Hi\n' })[0]).toBe(
      'templates/a.en.hbs:1:1 error the front matter is never closed: a second line `---` is missing',
    )
  })

  it('warn of a language that is missing', () => {
    expect(
      problemsOf({ 'a.en.hbs': withSubject('x'), 'a.zh-CN.vip.hbs': withSubject('x') }, [
        'zh-CN',
        'en',
        'fr',
      ]),
    ).toEqual([
      'templates/a.fr.hbs warning the template `a` is missing in fr',
      'templates/a.zh-CN.hbs warning the template `a` is there only for vip in zh-CN, the first of `locales`: nobody else gets it but those who read en',
    ])
  })

  it('miss nothing where a country reads its language', () => {
    expect(problemsOf({ 'a.en.hbs': withSubject('x') }, ['en-GB', 'en'])).toEqual([])
    // Who reads fr-CA has no text of their own, and gets that of the first language.
    const { problems } = parseTemplates({ 'a.en.hbs': withSubject('x') }, { locales: ['en-GB', 'fr-CA'] })
    expect(problems().map(({ found }) => found)).toEqual(['contacts reading fr-CA get templates/a.en.hbs'])
  })

  it('say who gets a text that is missing in a language, and that nobody else does where it is the first', () => {
    const files = { 'a.en.hbs': withSubject('x'), 'a.de.hbs': withSubject('x'), 'b.en.hbs': withSubject('x') }
    const { problems } = parseTemplates(files, { locales: ['en', 'de', 'fr'] })
    expect(problems().map(({ found }) => found)).toEqual([
      'contacts reading fr get templates/a.en.hbs',
      'contacts reading de get templates/b.en.hbs',
      'contacts reading fr get templates/b.en.hbs',
    ])
    expect(problemsOf({ 'b.en.hbs': withSubject('x') }, ['de', 'en'])).toEqual([
      'templates/b.de.hbs warning the template `b` is missing in de, the first of `locales`: nobody gets it but those who read en',
    ])
    // In a language that nobody is written to in, nobody gets it either.
    const unread = { 'b.en.hbs': withSubject('x'), 'b.fr.hbs': withSubject('x') }
    expect(problemsOf(unread, ['de', 'en'])[0]).toMatch(/nobody gets it but those who read en$/)
    expect(problemsOf({ 'b.fr.hbs': withSubject('x') }, ['de'])[0]).toMatch(/`locales`: nobody gets it$/)
    const second = parseTemplates({ 'b.en.hbs': withSubject('x') }, { locales: ['de', 'en'] })
    expect(second.problems()).not.toMatchObject([{ found: expect.anything() }])
  })

  it('warn of a language that nobody is written to in, once a language', () => {
    const files = { 'a.en.hbs': withSubject('x'), 'a.xx.hbs': withSubject('x'), 'a.fr.hbs': withSubject('x') }
    expect(problemsOf({ ...files, 'b.en.hbs': withSubject('x'), 'partials/p.xx.hbs': 'x' }, ['en'])).toEqual([
      'templates/a.fr.hbs warning nobody gets this text: `fr` is none of `locales` in winback.yaml (en); add it there, or take the file away',
      'templates/a.xx.hbs warning nobody gets this text nor the other one in xx: `xx` is none of `locales` in winback.yaml (en); add it there, or take the file away',
    ])
    // Whose own variant there is none of, gets the text of the language.
    expect(problemsOf({ 'a.zh.hbs': withSubject('x'), 'a.zh-CN.hbs': withSubject('x') }, ['zh-CN'])).toEqual(
      [],
    )
  })

  it('refuse names that would never be found, and partials that take themselves in', () => {
    expect(
      problemsOf({
        'a.hbs': 'x',
        'B.en.hbs': 'x',
        'c.english.hbs': 'x',
        'd.en.vip.more.hbs': 'x',
        'odd/e.en.hbs': 'x',
        'partials/p.hbs': '{{> q}}',
        'partials/q.hbs': '{{> p}}',
        't.en.hbs': withSubject('{{> p}}'),
      }).map((problem) => problem.replace(/ error .*(circle|itself).*/, ' circle')),
    ).toEqual([
      expect.stringContaining('templates/B.en.hbs error expected a name such as'),
      'templates/a.hbs error the name lacks a locale: a.en.hbs',
      'templates/c.english.hbs error `english` is not a locale: expected one such as en or zh-CN',
      'templates/d.en.vip.more.hbs error the name has too many parts',
      expect.stringContaining('templates/odd/e.en.hbs error expected a name such as'),
      'templates/partials/p.hbs:1:1 circle',
      'templates/partials/q.hbs:1:1 circle',
    ])
  })

  it('keep a broken template from being found, and the others not', () => {
    const set = parseTemplates({
      'a.en.hbs': withSubject('{{#if x}}'),
      'b.en.hbs': withSubject('fine'),
      'c.en.hbs': '---\nsubject: Hi\nlayout: broken\n---\n',
      'layouts/broken.hbs': '{{#if x}}',
    })
    expect(set.find('a', { locale: 'en' })).toBeUndefined()
    expect(set.find('c', { locale: 'en' })).toBeUndefined()
    expect(set.find('b', { locale: 'en' })?.render(meta).html).toBe('fine')
  })

  it('never throws, whatever stands in a file', () => {
    const mess = fc.string({
      unit: fc.constantFrom(
        '---\n',
        '\n',
        'subject: ',
        '{{',
        '}}',
        '{{{',
        '}}}',
        '#if ',
        '/if',
        'each ',
        '>',
        ' ',
        'a',
        '.',
        '"',
        '@',
        '!--',
        '--',
        '../',
        '|',
        '=',
        '(',
        ')',
        'as',
      ),
    })
    fc.assert(
      fc.property(mess, mess, (template, partial) => {
        const set = parseTemplates({
          'a.en.hbs': template,
          'partials/a.hbs': partial,
          'layouts/a.hbs': partial,
        })
        set.find('a', { locale: 'en' })
        expect(set.names()).toEqual(['a'])
      }),
      { numRuns: 1_000 },
    )
  })
})

describe('files', () => {
  it('are read below the folder, and hashed by name and content alone', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'winback-templates-'))
    await writeFile(join(folder, 'a.en.hbs'), withSubject('x'))
    await writeFile(join(folder, 'notes.txt'), 'not a template')
    const files = await readTemplateFiles(folder)
    expect(Object.keys(files)).toEqual(['a.en.hbs'])
    // 优惠, as GBK writes it.
    await writeFile(join(folder, 'gbk.zh-CN.hbs'), Buffer.from([0xd3, 0xc5, 0xbb, 0xdd]))
    await expect(readTemplateFiles(folder)).rejects.toMatchObject({
      code: 'templates.unreadable',
      message: expect.stringContaining('gbk.zh-CN.hbs is not UTF-8 text'),
      remedy: expect.stringContaining('iconv -f WINDOWS-1252 -t UTF-8'),
    })
    // An editor that saves one so saves all of them so: they are named together.
    await writeFile(join(folder, 'more.zh-CN.hbs'), Buffer.from([0xd3, 0xc5, 0xbb, 0xdd]))
    await expect(readTemplateFiles(folder)).rejects.toMatchObject({
      message: `${folder} has templates that are not UTF-8 text: gbk.zh-CN.hbs, more.zh-CN.hbs`,
      location: { file: folder },
    })
    await rm(join(folder, 'more.zh-CN.hbs'))
    await writeFile(join(folder, 'gbk.zh-CN.hbs'), 'x'.repeat(200_001))
    await expect(readTemplateFiles(folder)).rejects.toMatchObject({
      message: expect.stringMatching(/gbk\.zh-CN\.hbs has 201 kB$/),
      remedy: expect.stringContaining('A template has at most 200 kB'),
    })
    await rm(folder, { recursive: true })
    const hash = (of: Record<string, string>) => parseTemplates(of).hash
    expect(hash({ 'a.en.hbs': 'x', 'b.en.hbs': 'y' })).toBe(hash({ 'b.en.hbs': 'y', 'a.en.hbs': 'x' }))
    expect(hash({ 'a.en.hbs': 'x\r\n' })).toBe(hash({ 'a.en.hbs': 'x\n' }))
    expect(hash({ 'a.en.hbs': 'x' })).not.toBe(hash({ 'a.en.hbs': 'y' }))
    expect(hash({ 'a.en.hbs': 'x' })).not.toBe(hash({ 'b.en.hbs': 'x' }))
    await expect(readTemplateFiles(join(folder, 'none'))).rejects.toMatchObject({
      code: 'templates.unreadable',
    })
  })
})

describe('the templates that ship', () => {
  const shipped = readTemplateFiles(new URL('../../templates', import.meta.url).pathname)
  const view = (locale: string) => ({
    ...meta,
    $locale: locale,
    locale,
    segment: 'everyone',
    contact: { first_name: '林晓', signed_up_at: '2025-01-02T00:00:00Z' },
    orders: { count: 12, total: 2684.5, first_at: '2025-03-02T08:00:00Z', last_at: '2026-10-30T08:00:00Z' },
    activity: { last_at: '2026-11-05T20:00:00Z' },
    membership: { ends: '2026-12-04T00:00:00Z', days_left: 7, plan: 'gold' },
    report: {
      member_since: '2025-01-02T00:00:00Z',
      active_days: 41,
      orders: 12,
      spend: 2684.5,
      favourites: 3,
      favourite: '龙井',
      best_month: '2026-03-01T00:00:00Z',
      best_month_spend: 612,
      rank: 8,
      months: [{ month: '2026-03', spend: 612, active_days: 6 }],
    },
    workspace: { name: '枫叶小店' },
    links: { unsubscribe: 'https://wb.example/u/x', preferences: 'https://wb.example/preferences/x' },
    campaign: { title: 'Graded recall' },
    offer: { amount: 5, days: 7, valid_days: 14, minimum: 0 },
  })

  it('have no problems in either language, and render whole', async () => {
    const set = parseTemplates(await shipped, { locales: ['zh-CN', 'en'] })
    expect(set.problems()).toEqual([])
    const mails = [
      ...['care', 'come-back', 'compensation', 'coupon', 'coupon-vip', 'executive-letter', 'renewal'],
      ...['trial-card', 'trial-card-story', 'unfinished-order'],
    ]
    const texts = ['come-back-sms', 'coupon-sms', 'coupon-vip-sms', 'renewal-sms', 'unfinished-order-sms']
    const pushes = ['come-back-push', 'renewal-push', 'unfinished-order-push']
    // What is said on the telephone and in the app has tests beside their channels.
    const spoken = ['adviser', 'welcome-back']
    expect(set.names().toSorted()).toEqual([...mails, ...pushes, ...texts, ...spoken].toSorted())
    for (const locale of ['zh-CN', 'en']) {
      for (const name of pushes) {
        const { front, text = '' } = set.find(name, { locale })?.render(view(locale)) ?? {}
        expect(front?.subject).toBeTruthy()
        expect(front?.url).toMatch(/^\//)
        expect(text.length).toBeGreaterThan(10)
      }
      for (const name of texts) {
        const { text = '' } = set.find(name, { locale })?.render(view(locale)) ?? {}
        expect(text).toMatch(
          locale === 'en' ? /^枫叶小店: .*Reply STOP to opt out$/ : /^【枫叶小店】.*拒收请回复R$/,
        )
        expect(countSegments(text, { ucs2: locale !== 'en' }).segments).toBeLessThanOrEqual(2)
      }
      for (const name of mails) {
        for (const segment of [undefined, ...set.segmentsOf(name)]) {
          const rendered = set.find(name, { locale, segment })?.render(view(locale))
          expect(rendered?.front.subject, name).toBeTruthy()
          expect(rendered?.front.preheader, name).toBeTruthy()
          expect(rendered?.html, name).toContain(`<html lang="${locale}"`)
          expect(rendered?.html, name).toMatch(/@media \(prefers-color-scheme: ?dark\)/)
          expect(rendered?.html, name).not.toMatch(/\{\{|undefined|null|\[object/)
          expect(rendered?.text, name).not.toMatch(/\{\{|<|&[a-z]+;|undefined/)
          expect(rendered?.text, name).toContain('枫叶小店')
        }
      }
    }
  })

  it('say what holds of whoever gets them: one day is no days, and who renews was never away', async () => {
    const set = parseTemplates(await shipped, { locales: ['zh-CN', 'en'] })
    const said = (name: string, locale: string, over: Record<string, unknown> = {}) => {
      const { front = {}, text = '' } = set.find(name, { locale })?.render({ ...view(locale), ...over }) ?? {}
      return [...Object.values(front), text].join('\n')
    }
    const offer = { amount: 5, days: 1, valid_days: 1, minimum: 0 }
    for (const name of ['compensation', 'coupon', 'coupon-vip', 'trial-card', 'trial-card-story']) {
      expect([name, said(name, 'en', { offer })]).toEqual([name, expect.stringMatching(/\b1 day\b/)])
      expect([name, said(name, 'en', { offer })]).toEqual([name, expect.not.stringContaining('1 days')])
      expect(said(name, 'en')).toMatch(/\b(7|14) days\b/)
    }
    // By a date, not by a silence, and up to a day later than planned.
    for (const name of ['renewal', 'renewal-push', 'renewal-sms']) {
      expect([name, said(name, 'en')]).toEqual([name, expect.not.stringMatching(/visited|two days/i)])
      expect([name, said(name, 'zh-CN')]).toEqual([name, expect.not.stringMatching(/没来|两天/)])
    }
  })

  it.runIf(hasBrowser)('stay within a phone’s width, however long a name in them is', async () => {
    const set = parseTemplates(await shipped, { locales: ['zh-CN', 'en'] })
    const { context, page } = await openWindow('', '', { language: 'en', ...NARROW }, [])
    const long = 'Featherstonehaugh'.repeat(4)
    for (const locale of ['zh-CN', 'en']) {
      const wide = view(locale)
      const named = {
        ...{ ...wide, workspace: { name: long }, contact: { ...wide.contact, first_name: long } },
        report: { ...wide.report, favourite: long },
        offer: { ...wide.offer, name: long, amount: 99_999_999.5, minimum: 999_999_999.5 },
      }
      for (const name of set.names()) {
        const { front, html } = set.find(name, { locale })?.render(named) ?? {}
        if (front?.preheader === undefined) continue
        await page.setContent(html ?? '')
        const width = await page.evaluate('document.documentElement.scrollWidth')
        expect([name, locale, width]).toEqual([name, locale, NARROW.width])
      }
    }
    await context.close()
  })

  it('need nothing of the contact for the one that stands in', async () => {
    const set = parseTemplates(await shipped, { locales: ['zh-CN', 'en'] })
    expect(set.variables('come-back').flatMap(({ path, optional }) => (optional ? [] : [path]))).toSatisfy(
      (paths: string[]) => paths.every((path) => path === 'workspace.name'),
    )
  })
})
