import { describe, expect, test } from 'vitest'
import { channels } from '../../src/channels/channels.ts'
import { parseTemplates } from '../../src/channels/templates.ts'
import { formatProblem, formatProblems } from '../../src/config/documents/problems.ts'
import { environmentFrom } from '../../src/config/environment.ts'
import { readCampaign, readWorkspace } from '../../src/config/load.ts'
import { nearest } from '../../src/config/nearest-name.ts'
import { CAMPAIGN_YAML, sampleTemplates, sampleWorkspace, WORKSPACE_YAML } from './support/samples.ts'

const FILE = 'campaigns/x.yaml'
const CHANNELS = Object.keys(channels).join(', ')

/** The sample campaign with parts replaced; each part must be there. */
function changed(...changes: [string, string][]): string {
  return changes.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`the sample has no ${from}`)
    return text.replace(from, to)
  }, CAMPAIGN_YAML)
}

function problemsIn(text: string, templates = sampleTemplates(), workspace = sampleWorkspace()) {
  return readCampaign(FILE, text, workspace, templates).problems
}

/** Where `part` first stands in a text, 1-based. */
function placeOf(text: string, part: string): string {
  const before = text.slice(0, text.indexOf(part)).split('\n')
  return `${before.length}:${(before.at(-1) ?? '').length + 1}`
}

/** The column of an offset, 1-based. */
function placeColumn(text: string, offset: number): number {
  return offset - text.lastIndexOf('\n', offset)
}

test('nothing is wrong with the sample', () => {
  const { definition, problems } = readCampaign(FILE, CAMPAIGN_YAML, sampleWorkspace(), sampleTemplates())
  expect(problems).toEqual([])
  expect(definition?.tiers[0]?.steps[1]?.channel).toEqual(['email', 'log'])
})

/** [what is changed] → the one problem: where (the text it points at), and what it says. */
const refusals: [
  name: string,
  changes: [string, string][],
  at: string,
  says: string | RegExp,
  suggestion?: string,
][] = [
  // the schema
  ['unknown key', [['window: 30d', 'window: 30d\nrolout: 50%']], 'rolout', 'unknown key', 'rollout'],
  [
    'a title that is a text',
    [['title: Graded recall', `title: ${'ab '.repeat(67)}c`]],
    'ab ab',
    'this has 202 characters, and 200 is the most; say it in a few words',
  ],
  [
    'unknown key that is near none',
    [['window: 30d', 'window: 30d\nstop: { unsubscribe: 1%, spam: 1% }']],
    'spam',
    'unknown key; expected unsubscribe, complaint or hard_bounce',
  ],
  ['misspelt required key', [['inactive: 3d..7d', 'inactve: 3d..7d']], 'inactve', 'unknown key', 'inactive'],
  ['missing key', [['title: Graded recall\n', '']], 'version', '`title` is missing; expected a text'],
  [
    'bad duration',
    [['window: 30d', 'window: 30 days']],
    '30 days',
    'expected a duration such as 90m, 24h, 7d or 3w, found `30 days`',
    '30d',
  ],
  [
    'duration beyond any date',
    [['window: 30d', 'window: 99999999d']],
    '99999999d',
    'expected at most 36525d, which is a hundred years, found 99999999d',
  ],
  [
    'band beyond any date',
    [['inactive: 7d..15d', 'inactive: 7d..99999999d']],
    '7d..99999999d',
    'expected at most 36525d, which is a hundred years, found 7d..99999999d',
  ],
  [
    'rate beyond any date',
    [['at_most: 4 per week', 'at_most: 4 per 99999999d']],
    '4 per 99999999d',
    'expected at most 36525d, which is a hundred years, found 4 per 99999999d',
  ],
  ['number for text', [['title: Graded recall', 'title: 7']], '7', 'expected a text, found `7`', '"7"'],
  [
    'number for a percentage',
    [['window: 30d\nholdout: 10%', 'window: 30d\nholdout: 10']],
    '10\nlimits',
    'expected a percentage such as 10%, found `10`',
    '10%',
  ],
  [
    'fraction for a percentage',
    [['window: 30d\nholdout: 10%', 'window: 30d\nholdout: 0.1']],
    '0.1',
    'expected a percentage such as 10%, found `0.1`',
    '10%',
  ],
  [
    'number for a duration',
    [['window: 30d', 'window: 30']],
    '30\n',
    'expected a duration such as 90m, 24h, 7d or 3w, found `30`',
    '30d',
  ],
  [
    'number for an amount',
    [['amount: 5 CNY', 'amount: 5']],
    '5, valid',
    'expected an amount with its currency, such as 5 CNY or 0.05 USD, found `5`',
    '5 CNY',
  ],
  [
    'number for a rate',
    [['at_most: 4 per week', 'at_most: 4']],
    '4, then',
    'expected a rate such as 200 per day, 4 per week or 2 per 365d, found `4`',
    '4 per day',
  ],
  [
    'number for a band',
    [['inactive: 7d..15d', 'inactive: 7']],
    '7\n    steps',
    'expected a band such as 3d..7d, or 15d.. without an upper end, found `7`',
    '7d..',
  ],
  [
    'nothing for a percentage',
    [['window: 30d\nholdout: 10%', 'window: 30d\nholdout:']],
    '\nlimits',
    'expected a percentage such as 10%, found nothing',
  ],
  ['text for the version', [['version: 1', 'version: "1"']], '"1"', 'expected 1, found `"1"`', '1'],
  [
    'text for a number',
    [['title: Graded recall', 'title: Graded recall\npriority: "60"']],
    '"60"',
    'expected a whole number, found `"60"`',
    '60',
  ],
  [
    'an empty list',
    [['    steps:\n      - { id: letter, after: 2d, channel: log }\n', '    steps: []\n']],
    '[]',
    'expected at least one entry, found an empty list',
  ],
  ['misspelt channel', [['channel: log', 'chanel: log']], 'chanel', 'unknown key', 'channel'],
  [
    'a key a level too deep',
    [['window: 30d\n', '  window: 30d\n']],
    '30d\nholdout',
    '`window` belongs at the left margin, in no block; mind the indentation',
  ],
  [
    'a key a level too shallow',
    [
      ['  - name: letter\n    inactive: 7d..15d\n', '  - name: letter\n'],
      ['tiers:\n', 'inactive: 7d..15d\ntiers:\n'],
    ],
    'inactive: 7d..15d',
    '`inactive` belongs in tiers[1]; mind the indentation',
  ],
  // full-width punctuation
  [
    'a full-width colon',
    [['title: Graded', 'title：Graded']],
    '：',
    '`：` is the full-width colon; write `:`',
  ],
  [
    'a full-width comma between keys',
    [['kind: coupon, amount', 'kind: coupon， amount']],
    '，',
    '`，` is the full-width comma; write `,`',
  ],
  [
    'a full-width space as indentation',
    [['  send_window', '　　send_window']],
    '　　send',
    'this is a full-width space (U+3000); write an ordinary space',
  ],
  [
    'typographic quotes in a condition',
    [['contact.status == "active"', 'contact.status == “active”']],
    '“',
    'not a CEL condition: `“` is the typographic quote; write `"`',
  ],
  [
    'a text that ends in a typographic quote',
    [['contact.status == "active"', 'contact.status == "active”']],
    '”',
    'not a CEL condition: `”` is the typographic quote; write `"`',
  ],
  [
    'full-width brackets in a condition',
    [['audience: contact.status == "active"', 'audience: （contact.status == "active"）']],
    '（',
    'not a CEL condition: `（` is the full-width bracket; write `(`',
  ],
  [
    'a full-width percent sign',
    [['window: 30d\nholdout: 10%', 'window: 30d\nholdout: 10％']],
    '10％',
    'expected a percentage such as 10%, found `10％` (`％` is a full-width character; write `%`)',
    '10%',
  ],
  // the indentation
  [
    'a line too deep',
    [['    inactive: 7d..15d', '     inactive: 7d..15d']],
    'inactive: 7d..15d',
    'this line is indented deeper than the one above, which has a value already; indent both alike',
  ],
  [
    'a line not deep enough',
    [['    inactive: 7d..15d', '   inactive: 7d..15d']],
    '   inactive: 7d..15d',
    'the indentation is not that of the lines around it; give each its neighbours’ column, and each entry of a list its `- `',
  ],
  ['percentage over 100', [['holdout: 10%', 'holdout: 110%']], '110%', 'expected at most 100%, found 110%'],
  [
    'budget beyond what is counted exactly',
    [['liability: 10000 CNY', 'liability: 10000000000 CNY']],
    '10000000000 CNY',
    'expected at most 9007199254, which is what is counted exactly, found 10000000000 CNY',
  ],
  [
    'a stock with a point between its thousands',
    [['stock: 20000', 'stock: 2.000']],
    '2.000',
    'a point stands before decimals; write 2000, or 2',
  ],
  [
    'an amount with a point between its thousands',
    [['liability: 10000 CNY', 'liability: 10000 CNY, spend: 10.000 CNY per day']],
    '10.000 CNY per day',
    'a point stands before decimals; write 10000 CNY per day, or 10 CNY per day',
  ],
  [
    'an amount that is a fraction as well',
    [['amount: 5 CNY', 'amount: 1.250 CNY']],
    '1.250 CNY',
    'a point stands before decimals; write 1250 CNY, or 1.25 CNY',
  ],
  ['bad enum', [['then: skip', 'then: skpi']], 'skpi', 'expected defer or skip, found `skpi`', 'skip'],
  [
    'offer kind',
    [['kind: coupon', 'kind: coupn']],
    'coupn',
    'expected coupon, trial or benefit, found `coupn`',
    'coupon',
  ],
  [
    'bad name of a segment',
    [
      ['  high_value: orders', '  High: orders'],
      ['high_value: coupon-vip, ', ''],
    ],
    'High',
    'expected a name of lower-case letters, digits, - and _, starting with a letter',
  ],
  [
    'no goals',
    [['goals:\n  recall: { event: session }', 'goals: {}']],
    '{}',
    'expected at least one goal; the first is the primary',
  ],
  [
    'band upside down',
    [['inactive: 3d..7d', 'inactive: 7d..3d']],
    '7d..3d',
    'expected the lower end before the upper end, found 7d..3d',
  ],
  [
    'channel of a wrong type',
    [['channel: log', 'channel: 4']],
    '4 }',
    'expected a text or a list, found `4`',
  ],
  // entry by a date or an event
  [
    'a date nobody has',
    [
      ['inactive: 3d..7d', 'enter: 7d before contact.born'],
      ['inactive: 7d..15d', 'enter: 1d before contact.born'],
    ],
    '7d before contact.born\n',
    /^unknown date `contact.born`; there are .*contact.born_at/,
    'contact.born_at',
  ],
  [
    'a fact that is no date',
    [
      ['inactive: 3d..7d', 'enter: 7d before contact.points'],
      ['inactive: 7d..15d', 'enter: 1d before contact.points'],
    ],
    '7d before contact.points',
    'contact.points is a number, not a date',
  ],
  [
    'a date without a side',
    [
      ['inactive: 3d..7d', 'enter: 7d contact.born_at'],
      ['inactive: 7d..15d', 'enter: 1d before contact.born_at'],
    ],
    '7d contact',
    'expected a date such as 7d before membership.ends, or an event such as event first_order, found `7d contact.born_at`',
  ],
  [
    'silence and a date in one campaign',
    [['inactive: 7d..15d', 'enter: 7d before contact.born_at']],
    '7d before',
    'tier coupon counts from silence and this one from contact.born_at; make it a campaign of its own',
  ],
  [
    'silence and a date in one tier',
    [['inactive: 7d..15d', 'inactive: 7d..15d\n    enter: 7d before contact.born_at']],
    '7d before',
    'a tier has `inactive` or `enter`, not both: it counts from one moment',
  ],
  [
    'dates in the wrong order',
    [
      ['inactive: 3d..7d', 'enter: 7d before contact.born_at'],
      ['inactive: 7d..15d', 'enter: 9d before contact.born_at'],
    ],
    '9d before',
    'tier coupon begins no earlier than this one; put the tiers in the order of their time',
  ],
  [
    'a step due after the next date',
    [
      ['inactive: 3d..7d', 'enter: 2d before contact.born_at'],
      ['inactive: 7d..15d', 'enter: 36h before contact.born_at'],
    ],
    '1d\n        channel',
    /this step would never be sent: 1d after entering, tier coupon is over; use less than 12h/,
  ],
  [
    'a key of events beside silence',
    [['inactive: 7d..15d', 'inactive: 7d..15d\n    where: event.value > 3']],
    'where: event',
    '`where` belongs to a tier entered by an event',
  ],
  [
    'a contact’s fact asked of an event',
    [
      ['inactive: 3d..7d', 'enter: event order\n    after: 1d\n    where: orders.count > 3'],
      ['inactive: 7d..15d', 'enter: event order\n    after: 5d\n    where: orders.count > 3'],
    ],
    'orders.count > 3',
    /only the event itself is known here/,
  ],
  [
    'a bound of silence without silence',
    [
      ['inactive: 3d..7d', 'enter: 7d before contact.born_at'],
      ['inactive: 7d..15d', 'enter: 1d before contact.born_at'],
      ['window: 30d', 'window: 30d\nintake: { max_silence: 60d }'],
    ],
    '60d',
    /^this bounds silence, and the tiers are entered by a date or an event/,
  ],
  // the ladder
  [
    'overlapping bands',
    [['inactive: 7d..15d', 'inactive: 5d..15d']],
    '5d..15d',
    '5d..15d overlaps with tier coupon (3d..7d); begin at 7d',
  ],
  [
    'a gap between bands',
    [['inactive: 7d..15d', 'inactive: 10d..15d']],
    '10d..15d',
    'nobody is in a tier from 7d to 10d; begin at 7d, where tier coupon ends',
  ],
  [
    'an open band in the middle',
    [['inactive: 3d..7d', 'inactive: 3d..']],
    '3d..',
    'only the last tier may be without an upper end',
  ],
  [
    'two tiers of one name',
    [['name: letter', 'name: coupon']],
    'coupon\n    inactive: 7d',
    /^tiers\[0\] is named coupon too/,
  ],
  [
    'two steps of one id',
    [['id: letter', 'id: remind']],
    'remind, after',
    'the step remind of tier coupon has this id already; ids are unique in a campaign',
  ],
  ['a reserved word as id', [['id: letter', 'id: orders']], 'orders, after', /^orders is a reserved word/],
  [
    'a segment named everyone',
    [
      ['  high_value: orders', '  everyone: orders'],
      ['high_value: coupon-vip, ', ''],
    ],
    'everyone',
    /^everyone is the name of the rest/,
  ],
  [
    'after outlasts the tier',
    [['after: 1d', 'after: 4d']],
    '4d',
    'this step would never be sent: 4d after entering, tier coupon (3d..7d) is over; use less than 4d',
  ],
  [
    'a window shorter than the ladder',
    [['window: 30d', 'window: 12d']],
    '12d',
    'the window of 12d is shorter than the ladder: step letter is sent 6d after the assignment, and its recalls need 7d more; use 13d or longer',
  ],
  [
    'max_silence below the bands',
    [['window: 30d', 'window: 30d\nintake: { max_silence: 3d }']],
    '3d }',
    'nobody would be taken in: the first tier begins at 3d of silence',
  ],
  [
    'max_silence beyond the bands',
    [['window: 30d', 'window: 30d\nintake: { max_silence: 16d }']],
    '16d',
    /^the last tier ends at 15d of silence/,
  ],
  // settings
  [
    'an unknown zone',
    [['window: 30d', 'window: 30d\ntimezone: Asia/Shangai']],
    'Asia/Shangai',
    '`Asia/Shangai` is not an IANA time zone such as Asia/Shanghai',
    'Asia/Shanghai',
  ],
  [
    'an abbreviation of several zones',
    [['window: 30d', 'window: 30d\ntimezone: CST']],
    'CST',
    '`CST` is an abbreviation that more than one zone has; write an IANA time zone such as Asia/Shanghai',
  ],
  [
    'a text for a block of keys',
    [['recall: { event: session }', 'recall: session']],
    'session\nwindow',
    'expected a block of keys (event, margin), found `session`',
  ],
  [
    'bad cron',
    [['"0 9 * * *"', '"0 25 * * *"']],
    '"0 25',
    /^expected cron in five fields such as "0 9 \* \* \*", found `0 25 \* \* \*`/,
  ],
  [
    'cron with seconds',
    [['"0 9 * * *"', '"0 0 9 * * *"']],
    '"0 0 9',
    'expected cron in five fields such as "0 9 * * *", found 6 fields',
    '0 9 * * *',
  ],
  ['cron of a day that never comes', [['"0 9 * * *"', '"0 9 30 2 *"']], '"0 9 30', /^expected cron/],
  [
    'ends before starts',
    [['window: 30d', 'window: 30d\nstarts: 2026-12-01\nends: 2026-11-01']],
    '2026-11-01',
    'the campaign would end before it starts (2026-12-01)',
  ],
  [
    'a goal that is not activity',
    [['event: session', 'event: sesion']],
    'sesion',
    'unknown activity `sesion`; there are session, order',
    'session',
  ],
  // channels
  [
    'an unknown channel',
    [['channel: log', 'channel: lgo']],
    'lgo',
    'unknown channel `lgo`; there are email, log',
    'log',
  ],
  [
    'an unknown channel in a list',
    [['[email, log]', '[email, lgo]']],
    'lgo',
    'unknown channel `lgo`; there are email, log',
    'log',
  ],
  [
    'a list of channels without its brackets',
    [['channel: [email, log]', 'channel: email, log']],
    'email, log',
    'unknown channel `email, log`; a list stands in brackets',
    '[email, log]',
  ],
  [
    'a list of channels without its brackets, of which one is misspelt',
    [['channel: [email, log]', 'channel: email / lgo']],
    'email / lgo',
    'unknown channel `email / lgo`; a list stands in brackets',
    '[email, log]',
  ],
  [
    'a list of channels without its brackets, between braces',
    [['channel: log }', 'channel: log, email }']],
    'log, email',
    'a comma ends the value here; a list stands in brackets',
    '[log, email]',
  ],
  [
    'a longer one, with another key behind it',
    [['after: 2d, channel: log }', 'channel: log, email, sms, after: 2d }']],
    'log, email',
    'a comma ends the value here; a list stands in brackets',
    '[log, email, sms]',
  ],
  [
    'a key that is none, on a line of its own',
    [['        otherwise: come-back', '        log:']],
    'log:',
    /^unknown key; expected id, channel/,
  ],
  [
    'a channel that is listed twice',
    [['channel: [email, log]', 'channel: [email, log, email]']],
    'email]',
    'email is there twice',
  ],
  [
    'a window for an unknown channel',
    [['email: 10:00', 'emial: 10:00']],
    'emial',
    `unknown channel \`emial\`; there are default, ${CHANNELS}`,
    'email',
  ],
  [
    'a cap for an unknown channel',
    [['at_most: 2 per day,', 'at_most: 2 per day, channel: smms,']],
    'smms',
    `unknown channel \`smms\`; there are ${CHANNELS}`,
    'sms',
  ],
  // templates
  [
    'no template on a channel that renders',
    [['        template: reminder\n', '']],
    'id: remind',
    'remind needs a template: channel email sends what a template says',
  ],
  [
    'an unknown template',
    [['template: reminder', 'template: remindr']],
    'remindr',
    'unknown template `remindr`; there are reminder, coupon, coupon-vip, come-back',
    'reminder',
  ],
  [
    'an unknown template for a segment',
    [['coupon-vip', 'coupon-vp']],
    'coupon-vp',
    /^unknown template `coupon-vp`/,
    'coupon-vip',
  ],
  [
    'a template for an unknown segment',
    [['{ high_value:', '{ hihg_value:']],
    'hihg_value',
    'unknown segment `hihg_value`; there are high_value, everyone',
    'high_value',
  ],
  [
    'no template for everyone',
    [[', everyone: coupon', '']],
    'template: { high',
    'missing: `everyone`, for those whom no segment matches',
  ],
  [
    'an unknown otherwise',
    [['otherwise: come-back', 'otherwise: come_back']],
    'come_back',
    /^unknown template `come_back`/,
    'come-back',
  ],
  [
    'otherwise without a template',
    [['after: 2d, channel: log', 'after: 2d, channel: log, otherwise: come-back']],
    'otherwise: come-back }',
    /stands in for a template/,
  ],
  // offers
  [
    'an unknown offer',
    [
      ['offer: five_off', 'offer: five_of'],
      ['budget: { liability: 10000 CNY }', 'budget: {}'],
    ],
    'five_of\n',
    'unknown offer `five_of`; there is five_off',
    'five_off',
  ],
  [
    'another currency',
    [['amount: 5 CNY', 'amount: 5 USD']],
    '5 USD',
    'the workspace counts in CNY, and nothing converts USD',
  ],
  [
    'a liability without a stock',
    [['stock: 20000, ', '']],
    'five_off: {',
    'without a stock five_off could exceed the liability of 10000 CNY; add `stock`',
  ],
  [
    'offers beyond the liability',
    [['10000 CNY', '7999.5 CNY']],
    '7999.5 CNY',
    'the offers could come to 8000 CNY (five_off 20000 × 5 CNY × 8%), more than the liability of 7999.5 CNY; lower a stock, or allow 8000 CNY',
  ],
  // caps
  [
    'a daily cap the steps break',
    [
      ['at_most: 2 per day', 'at_most: 1 per day'],
      ['after: 1d', 'after: 23h'],
    ],
    '1 per day',
    'this campaign alone sends one person 2 messages within a day (remind, coupon), more than 1 per day; allow 2 per day, or set the steps apart by `after`',
  ],
  [
    'a weekly cap the steps break',
    [['at_most: 4 per week', 'at_most: 2 per week']],
    '2 per week',
    /^this campaign alone sends one person 3 messages within a week \(remind, coupon, letter\)/,
  ],
  // conditions
  [
    'an unknown fact',
    [['contact.status ==', 'contact.staus ==']],
    'contact.staus',
    /^unknown fact contact\.staus/,
    'contact.status',
  ],
  [
    'a condition in a segment',
    [['orders.count >= 4', 'orders.cuont >= 4']],
    'orders.cuont',
    'unknown fact orders.cuont',
    'orders.count',
  ],
  [
    'a segment by segment',
    [['contact.status == "active"', 'segment == "active"']],
    'segment == "active"',
    'segment is not known here: it exists only once an episode is open; use it in a step',
  ],
  [
    'a segment there is not',
    [['segment == "high_value"', 'segment == "high_valu"']],
    '"high_valu"',
    'segment is never "high_valu"; it is one of "high_value", "everyone"',
    'high_value',
  ],
  [
    'a value that a fact never has',
    [['activity.silence < 30d', 'churn == "flase"']],
    '"flase"',
    'churn is never "flase"; it is one of "active", "false", "true"',
    'false',
  ],
  [
    'a value in a list that a fact never has',
    [['contact.status == "active"', 'risk.grade in ["light", "bad"]']],
    '"bad"',
    'risk.grade is never "bad"; it is one of "none", "light", "medium", "severe"',
  ],
  [
    'a later step',
    [['activity.silence < 30d', 'coupon.sent']],
    'coupon.sent',
    'coupon.sent is not known here: coupon comes later in the campaign',
  ],
  [
    'a condition over lines',
    [
      [
        'when: activity.silence < 30d',
        'when: >-\n          activity.silence < 30d\n          && orders.totl > 3',
      ],
    ],
    'orders.totl',
    'unknown fact orders.totl',
    'orders.total',
  ],
  [
    'a quoted condition',
    [['when: activity.silence < 30d', 'when: "contact.status == \\"a\\" && orders.totl > 3"']],
    'orders.totl',
    'unknown fact orders.totl',
    'orders.total',
  ],
]

describe('refused, with its place and its reason', () => {
  test.each(refusals)('%s', (_, changes, at, says, suggestion) => {
    const text = changed(...changes)
    const problems = problemsIn(text)
    expect(problems.filter(({ severity }) => severity === 'error').map(formatProblem)).toHaveLength(1)
    const [problem] = problems.filter(({ severity }) => severity === 'error')
    expect(problem?.message).toMatch(says)
    if (typeof says === 'string') expect(problem?.message).toBe(says)
    expect(problem?.suggestion).toBe(suggestion)
    expect(`${problem?.location.line}:${problem?.location.column}`).toBe(placeOf(text, at))
  })
})

// A month that was read as a minute, or 50 for 50,000, would be worse than no hint.
test.each([
  ['window: 30d', 'window: 1 month', '30d'],
  ['window: 30d', 'window: 30D', '30d'],
  ['window: 30d', 'window: 4 weeks', '4w'],
  ['window: 30d', 'window: 30 天', '30d'],
  ['window: 30d', 'window: 1 decade', undefined],
  ['window: 30d', 'window: 30d\nstarts: 2026/3/5', '2026-03-05'],
  ['window: 30d', 'window: 30d\nstarts: 5.3.2026', '2026-03-05'],
  ['window: 30d', 'window: 30d\nstarts: 2026-11-31', '2026-11-30'],
  ['window: 30d', 'window: 30d\nstarts: 2026-13-01', '2026-01-13'],
  ['holdout: 10%\nlimits', 'holdout: 10 percent\nlimits', '10%'],
  ['amount: 5 CNY', 'amount: ¥5', '5 CNY'],
  ['amount: 5 CNY', 'amount: 5元', '5 CNY'],
  ['amount: 5 CNY', 'amount: $5', undefined],
  ['amount: 5 CNY', 'amount: "1,500 cny"', '1500 CNY'],
  ['amount: 5 CNY', 'amount: "1,5 CNY"', undefined],
  // A thousand times as much, or as little.
  ['amount: 5 CNY', 'amount: "0,500 CNY"', undefined],
  ['at_most: 2 per day', 'at_most: 2/day', '2 per day'],
  ['at_most: 4 per week', 'at_most: 4 a week', '4 per week'],
  ['inactive: 3d..7d', 'inactive: 3-7d', '3d..7d'],
  ['inactive: 3d..7d', 'inactive: 3d...7d', '3d..7d'],
  ['default: 09:00-21:00', 'default: 9-21', '09:00-21:00'],
  ['default: 09:00-21:00', 'default: 09:00–21:00', '09:00-21:00'],
  ['default: 09:00-21:00', 'default: 9-5', undefined],
  ['default: 09:00-21:00', 'default: weekdays 09:00-21:00', 'workdays 09:00-21:00'],
  ['window: 30d', 'window: 30d\nseeds: u1', '[u1]'],
  ['campaign: graded', 'campaign: Graded Recall', 'graded-recall'],
  ['schedule: "0 9 * * *"', 'schedule: "@daily"', '0 0 * * *'],
  ['schedule: "0 9 * * *"', 'schedule: 09:30', '30 9 * * *'],
  ['schedule: "0 9 * * *"', 'schedule: 0 0 9 * * *', '0 9 * * *'],
  ['schedule: "0 9 * * *"', 'schedule: 30 0 9 * * *', undefined],
  // Names that every object has are no nicknames.
  ['schedule: "0 9 * * *"', 'schedule: toString', undefined],
  ['window: 30d', 'window: 30d\ntimezone: constructor', undefined],
  ['window: 30d', 'window: 30d\ntimezone: Asia/Beijing', 'Asia/Shanghai'],
  ['window: 30d', 'window: 30d\ntimezone: Europe/Tokyo', 'Asia/Tokyo'],
  ['window: 30d', 'window: 30d\ntimezone: Asia/Bejing', 'Asia/Shanghai'],
  ['window: 30d', 'window: 30d\ntimezone: Bejing', 'Asia/Shanghai'],
  ['window: 30d', 'window: 30d\ntimezone: Asia/Mumbay', 'Asia/Kolkata'],
  ['window: 30d', 'window: 30d\ntimezone: America/San_Fransisco', 'America/Los_Angeles'],
  ['window: 30d', 'window: 30d\ntimezone: Asia/Shanghia', 'Asia/Shanghai'],
  ['window: 30d', 'window: 30d\ntimezone: Asia/Beirt', 'Asia/Beirut'],
])('what was meant: %s → %s', (from, to, suggestion) => {
  const [problem, ...more] = problemsIn(changed([from, to]))
  expect(more).toEqual([])
  expect(problem?.suggestion).toBe(suggestion)
})

test.each([
  ['schedule: "0 9 * * *"', 'schedule: 0 25 * * *', /found `0 25 \* \* \*` \(25 is not from 0 to 23\)$/],
  ['window: 30d', 'window: 30d\ntimezone: UTC+8', /: an offset has no summer time, so name a place$/],
])('what is wrong: %s → %s', (from, to, says) => {
  expect(problemsIn(changed([from, to]))).toMatchObject([{ message: expect.stringMatching(says) }])
})

test.each([
  ['blackout: [2027-02-05 - 2027-02-12]', 'blackout[0]', '2027-02-05..2027-02-12'],
  ['digest: { to: you@example.com }', 'digest.to', '[you@example.com]'],
  ['digest: { to: "a@example.com, b@example.com" }', 'digest.to', '[a@example.com, b@example.com]'],
  ['digest: { to: "a@example.com b@example.com" }', 'digest.to', '[a@example.com, b@example.com]'],
  [
    'blackout: 2027-02-05..2027-02-12, 2027-10-01..2027-10-07',
    'blackout',
    '[2027-02-05..2027-02-12, 2027-10-01..2027-10-07]',
  ],
  ['web: { trusted_proxies: "10.0.0.7,10.0.0.8" }', 'web.trusted_proxies', '[10.0.0.7, 10.0.0.8]'],
  ['locales: en, zh-CN', 'locales', '[en, zh-CN]'],
  ['locales: en、zh-CN', 'locales', '[en, zh-CN]'],
  ['not_yet: push,sms', 'not_yet', '[push, sms]'],
  ['attributes: { vip: text, since: string }', 'attributes.vip', 'string'],
  ['attributes: { vip: string, since: date }', 'attributes.since', 'timestamp'],
  ['locales: [en, zh_CN]', 'locales[1]', 'zh-CN'],
])('what was meant in the workspace: %s → %s', (block, path, suggestion) => {
  const key = `${block.split(':')[0]}:`
  const others = WORKSPACE_YAML.replace(new RegExp(`^${key}.*\\n(?: .*\\n)*`, 'm'), '')
  const { problems } = readWorkspace('winback.yaml', `${others}${block}\n`, environmentFrom({}), '.')
  expect(problems).toMatchObject([{ path, suggestion }])
})

test.each(['0.002', '0,002'])('a price without its quotes: %s', (price) => {
  const text = WORKSPACE_YAML.replace('channels:\n  email:\n', `channels:\n  email:\n    price: ${price}\n`)
  expect(readWorkspace('winback.yaml', text, environmentFrom({}), '.').problems).toMatchObject([
    { path: 'channels.email.price', suggestion: '"0.002"' },
  ])
})

test('a yes of older YAML is true', () => {
  const text = `${WORKSPACE_YAML}web: { serve: Off }\n`
  expect(readWorkspace('winback.yaml', text, environmentFrom({}), '.').problems).toMatchObject([
    { path: 'web.serve', suggestion: 'false' },
  ])
})

test('a channel that is known and not set up', () => {
  const [problem] = problemsIn(
    CAMPAIGN_YAML.replace('email: 10:00-20:00 ', ''),
    sampleTemplates(),
    sampleWorkspace({ channels: {} }),
  )
  expect(problem?.message).toBe(
    'channel email is not set up, so nobody is reached on it; add channels.email to winback.yaml, or email to its `not_yet`',
  )
})

test('a range of scores upside down, which nobody is in, is refused', () => {
  const text = `${WORKSPACE_YAML}signals: { rfm: { segments: [{ segment: best, recency: 5..4 }, { segment: rest }] } }\n`
  const { problems } = readWorkspace('winback.yaml', text, environmentFrom({}), '.')
  expect(problems).toMatchObject([{ message: 'expected the lower end before the upper end, found 5..4' }])
})

test('a channel that is awaited is no mistake, and has its windows and caps already', () => {
  const ahead = changed(
    ['channel: [email, log]', 'channel: [push, sms]'],
    ['email: 10:00', 'sms: 10:00'],
    ['at_most: 2 per day,', 'at_most: 2 per day, channel: push,'],
  )
  expect(problemsIn(ahead, sampleTemplates(), sampleWorkspace({ not_yet: ['push', 'sms'] }))).toEqual([])
  expect(problemsIn(ahead).map(({ severity }) => severity)).toEqual(['warning', 'warning'])
  const misspelt = ahead.replace('channel: [push, sms]', 'channel: [push, smss]')
  expect(
    problemsIn(misspelt, sampleTemplates(), sampleWorkspace({ not_yet: ['push', 'sms'] })),
  ).toMatchObject([{ message: 'unknown channel `smss`; there are email, log, push, sms', suggestion: 'sms' }])
  const text = `${WORKSPACE_YAML}not_yet: [email, pusch]\n`
  const { problems } = readWorkspace('winback.yaml', text, environmentFrom({}), '.')
  expect(problems).toMatchObject([
    { severity: 'warning', message: 'channel email is set up; take it out of `not_yet`' },
    { severity: 'error', message: expect.stringMatching(/^unknown channel `pusch`/), suggestion: 'push' },
  ])
})

test('a share held out that leaves nobody to write to is a warning', () => {
  const warned = (from: string, to: string) =>
    problemsIn(changed([from, to])).map(({ severity, path, message }) => `${severity} ${path}: ${message}`)
  // Beside 5 % of control group: of the others, whom the campaign draws among, some are left each time.
  for (const share of ['95%', '99%']) expect(warned('holdout: 10%', `holdout: ${share}`)).toEqual([])
  expect(warned('holdout: 10%', 'holdout: 100%')).toEqual([
    'warning holdout: everybody is held out, so nobody will ever get a message; use less than 100%, such as 20%',
  ])
  const untouched = problemsIn(changed(), sampleTemplates(), { ...sampleWorkspace(), control: 1 })
  expect(untouched).toMatchObject([
    {
      severity: 'warning',
      message:
        'everybody is in the control group (winback.yaml), so nobody will ever get a message; use less, such as 5%',
    },
  ])
  expect(warned('    inactive: 7d..15d\n', '    inactive: 7d..15d\n    holdout: 100%\n')).toEqual([
    'warning tiers[1].holdout: everybody who enters letter is held out, so nobody will ever get its messages; use less, such as 20%',
  ])
})

test('a rollout to nobody is a warning: what is planned and applied takes nobody in', () => {
  expect(problemsIn(changed(['window: 30d', 'window: 30d\nrollout: 0%']))).toMatchObject([
    { severity: 'warning', path: 'rollout', message: expect.stringMatching(/^at 0% nobody is taken in/) },
  ])
  expect(problemsIn(changed(['window: 30d', 'window: 30d\nrollout: 1%']))).toEqual([])
})

test('a night or a weekend longer than a message may wait is a warning, with its hours', () => {
  const warned = (windows: string) => {
    const text = changed(['send_window: { default: 09:00-21:00, email: 10:00-20:00 }', windows])
    return problemsIn(text).map(formatProblem)
  }
  const place = (windows: string, part: string) =>
    placeOf(changed(['send_window: { default: 09:00-21:00, email: 10:00-20:00 }', windows]), part)
  const hour = 'max_delay: 1h\n  send_window: { default: 09:00-21:00, webhook: 10:00-20:00 }'
  expect(warned(hour)).toEqual([
    `${FILE}:${place(hour, '09:00-21:00')}  warning  limits.send_window.default: shut for 12 h, 21:00 to 09:00, and \`max_delay\` is 1h: what comes due within 11 h of 21:00 is never sent (too_late); set \`max_delay\` to 13h or more`,
  ])
  const weekend = 'send_window: { email: workdays 10:00-18:30, log: workdays 10:00-18:30 }'
  const said =
    'shut for 63 h 30 min, Friday 18:30 to Monday 10:00, and `max_delay` is 2d: what comes due within 15 h 30 min of Friday 18:30 is never sent (too_late); set `max_delay` to 65h or more'
  expect(warned(weekend)).toEqual([
    `${FILE}:${place(weekend, 'workdays 10')}  warning  limits.send_window.email: ${said}`,
    `${FILE}:${place(weekend, 'workdays 10:00-18:30 }')}  warning  limits.send_window.log: ${said}`,
  ])
  expect(warned(`${weekend}\n  max_delay: 65h`)).toEqual([])
  expect(warned('send_window: { default: workdays 00:00-24:00 }')).toEqual([])
  // What cannot be read is told alone.
  expect(warned(`${weekend}\n  max_delay: soon`)).toEqual([expect.stringContaining('expected a duration')])
})

test('an offer nobody gives is a warning', () => {
  const text = changed(['offers:\n', 'offers:\n  other: { kind: trial, days: 7, valid: 7d }\n'])
  expect(problemsIn(text)).toMatchObject([
    {
      severity: 'warning',
      path: 'offers.other',
      message: 'no step gives the offer other',
      location: { line: 19, column: 3 },
    },
  ])
})

describe('template variables', () => {
  const problemOf = (variables: string[], ...changes: [string, string][]) =>
    problemsIn(changed(...changes), sampleTemplates({ reminder: variables }))

  test('one that nothing can fill is told at its place in the template', () => {
    expect(problemOf(['workspace.name', 'contact.frist_name'])).toMatchObject([
      {
        location: { file: 'templates/reminder.en.hbs', line: 2, column: 5 },
        path: 'tiers[0].steps[0].template',
        message: 'nothing can fill {{contact.frist_name}}, used by template reminder',
        suggestion: 'contact.first_name',
      },
    ])
  })

  test('offer variables need an offer, and one of the kind that has them', () => {
    const place = { file: FILE, line: 27, column: 19 }
    expect(problemOf(['offer.amount'])).toMatchObject([
      { location: place, message: expect.stringMatching(/but the step has no `offer`$/) },
    ])
    expect(
      problemOf(['offer.days'], ['template: reminder', 'template: reminder\n        offer: five_off']),
    ).toMatchObject([{ location: place, message: expect.stringMatching(/but a coupon has no days$/) }])
  })

  test('a group may be stepped into, and the months of the annual report gone through', () => {
    const body = '{{#with contact}}{{first_name}}{{/with}}{{#each report.months}}{{money spend}}{{/each}}'
    const read = (text: string) => parseTemplates({ 'reminder.en.hbs': `---\nsubject: x\n---\n${text}` })
    const found = (text: string) =>
      problemsIn(changed(['template: reminder', 'template: reminder\n        data: annual-report']), {
        ...sampleTemplates(),
        variables: (name) =>
          name === 'reminder' ? read(text).variables(name) : sampleTemplates().variables(name),
      }).map(({ message }) => message)
    expect(found(body)).toEqual([])
    expect(found(body.replace('spend', 'spent'))).toEqual([
      expect.stringMatching(/fill {{report.months\[\].spent}}/),
    ])
    expect(found('{{contact}}')).toEqual([expect.stringMatching(/fill {{contact}}/)])
    expect(found('{{#with contakt}}x{{/with}}')).toEqual([expect.stringMatching(/fill {{contakt}}/)])
  })

  test('a code that is credited to the account is told from one that offers have not', () => {
    expect(
      problemOf(['offer.code'], ['template: reminder', 'template: reminder\n        offer: five_off']),
    ).toMatchObject([
      {
        message: expect.stringMatching(
          /but five_off is credited to the account and has no code; one with `deliver: code` has$/,
        ),
      },
    ])
  })

  test('a forgotten offer is one finding, whatever uses it', () => {
    const text = changed(
      ['        offer: five_off\n', ''],
      ['  five_off:', '  # five_off:'],
      ['offers:', 'offers: {}'],
    )
    expect(problemsIn(text)).toMatchObject([
      {
        path: 'tiers[0].steps[1].template.high_value',
        message:
          'template coupon-vip uses {{offer.amount}} (templates/reminder.en.hbs:2:5), template coupon uses {{offer.amount}} (templates/reminder.en.hbs:2:5), {{offer.valid_days}} (templates/reminder.en.hbs:3:5), but the step has no `offer`',
      },
    ])
  })

  test('what nothing can fill is listed once for the step', () => {
    expect(problemOf(['contact.frist_name', 'warehouse.shelf', 'contact.frist_name'])).toMatchObject([
      {
        location: { line: 1 },
        message:
          'nothing can fill {{contact.frist_name}} (templates/reminder.en.hbs:1:5; did you mean {{contact.first_name}}?), {{warehouse.shelf}} (templates/reminder.en.hbs:2:5), used by template reminder',
      },
    ])
  })

  test('earlier steps are facts of templates too, later ones are not', () => {
    expect(problemOf(['letter.sent'])).toMatchObject([
      { message: expect.stringMatching(/letter comes later/) },
    ])
  })
})

test('a template variant for a segment that is nearly one of ours is a warning', () => {
  const templates = { ...sampleTemplates(), segmentsOf: () => ['high_valu', 'high_value', 'students'] }
  const found = problemsIn(CAMPAIGN_YAML, templates).filter(
    ({ path }) => path === 'tiers[0].steps[0].template',
  )
  expect(found).toMatchObject([{ severity: 'warning', found: 'high_valu', suggestion: 'high_value' }])
})

test('a campaign with five different mistakes shows all five at once', () => {
  const text = changed(
    ['inactive: 3d..7d', 'inactve: 3d..7d'],
    ['window: 30d', 'window: 12d'],
    ['orders.count >= 4', 'orders.cuont >= 4'],
    ['template: reminder', 'template: remindr'],
    ['channel: log', 'channel: lgo'],
  )
  expect(`${formatProblems(problemsIn(text), { [FILE]: text })}\n`).toMatchInlineSnapshot(`
    "campaigns/x.yaml:7:39  error  segments.high_value: unknown fact orders.cuont; did you mean \`orders.count\`?
      7 |   high_value: orders.total >= 2000 && orders.cuont >= 4
        |                                       ^

    campaigns/x.yaml:10:9  error  window: the window of 12d is shorter than the ladder: step letter is sent 6d after the assignment, and its recalls need 7d more; use 13d or longer
      10 | window: 12d
         |         ^

    campaigns/x.yaml:22:5  error  tiers[0].inactve: unknown key; did you mean \`inactive\`?
      22 |     inactve: 3d..7d
         |     ^

    campaigns/x.yaml:27:19  error  tiers[0].steps[0].template: unknown template \`remindr\`; there are reminder, coupon, coupon-vip, come-back; did you mean \`reminder\`?
      27 |         template: remindr
         |                   ^

    campaigns/x.yaml:39:43  error  tiers[1].steps[0].channel: unknown channel \`lgo\`; there are email, log; did you mean \`log\`?
      39 |       - { id: letter, after: 2d, channel: lgo }
         |                                           ^
    "
  `)
})

test('what full-width punctuation has to do with a value is said beside it', () => {
  const found = (...change: [string, string]) => problemsIn(changed(change)).map(formatProblem)
  expect(found('[email, log]', '[email，log]')).toEqual([
    expect.stringContaining('`email，log`; there are email, log (`，` is the full-width comma; write `,`)'),
  ])
  expect(found('channel: log', 'channel: “log”')).toEqual([
    expect.stringContaining('(`“` is the typographic quote; write `"`)'),
  ])
  expect(found('title: Graded recall', 'title: 召回：“七天”（一）')).toEqual([])
  const [other] = found('contact.status == "active"', 'contact.staus == "上海，北京"')
  expect(other).not.toContain('full-width')
})

test('a full-width colon hides nothing else, and moves no column', () => {
  const text = changed(['title: Graded recall', 'title：Graded，recall'], ['after: 2d', 'after： 9d'])
  expect(problemsIn(text).map(({ location, message }) => [location.line, location.column, message])).toEqual([
    [3, 6, '`：` is the full-width colon; write `:`'],
    [39, 28, '`：` is the full-width colon; write `:`'],
    [39, 30, expect.stringMatching(/^this step would never be sent/)],
  ])
})

test('the workspace: every problem at once', () => {
  const text = WORKSPACE_YAML.replace('timezone: Asia/Shanghai', 'timezone: Shanghai')
    .replace('locales: [en, zh-CN]', 'locales: [en, zh_CN]')
    .replace('first_name: string', 'locale: string')
    .replace('points: { type: number', 'points: { type: numbr')
    .replace('vip: bool', 'vip: boolean')
    .replace('currency: CNY', 'currency: yuan')
    .replace('    from:', '    form:')
  const { problems } = readWorkspace('winback.yaml', text, environmentFrom({}), '.')
  expect(`${problems.map(formatProblem).join('\n')}\n`).toMatchInlineSnapshot(`
    "winback.yaml:3:11  error  timezone: \`Shanghai\` is not an IANA time zone such as Asia/Shanghai; did you mean \`Asia/Shanghai\`?
    winback.yaml:4:11  error  currency: expected an ISO 4217 currency such as CNY, found \`yuan\`
    winback.yaml:5:15  error  locales[1]: \`zh_CN\` is not a language tag such as en or zh-CN; did you mean \`zh-CN\`?
    winback.yaml:9:3  error  attributes.locale: contact.locale is there without being declared; choose another name
    winback.yaml:11:19  error  attributes.points.type: expected string, number, bool or timestamp, found \`numbr\`; did you mean \`number\`?
    winback.yaml:12:8  error  attributes.vip: expected string, number, bool or timestamp, found \`boolean\`; did you mean \`bool\`?
    winback.yaml:16:5  error  channels.email.form: unknown key; did you mean \`from\`?
    "
  `)
})

test('of a long line only what stands around the mistake is shown, with the caret under it', () => {
  const line = `${'a'.repeat(5000)}X${'b'.repeat(5000)}`
  const location = { file: FILE, line: 1, column: 5001 }
  const text = formatProblems([{ severity: 'error', location, path: '', message: 'no' }], { [FILE]: line })
  const [, excerpt = '', caret = ''] = text.split('\n')
  expect(excerpt.length).toBeLessThan(420)
  expect(excerpt.charAt(caret.indexOf('^'))).toBe('X')
})

test('of very many problems the errors are shown, and how many more there are', () => {
  const problems = Array.from({ length: 300 }, (_, no) => ({
    severity: no === 299 ? ('error' as const) : ('warning' as const),
    location: { file: FILE, line: no + 1 },
    path: '',
    message: 'no',
  }))
  const text = formatProblems(problems, {})
  expect(text.split('\n\n')).toHaveLength(101)
  expect(text).toMatch(/:99 {2}warning[\s\S]*:300 {2}error {2}no\n\n… and 200 more: mend these first/)
})

describe('a file of more than anybody reads is refused with its bound, before anything else is looked at', () => {
  const list = (length: number, entry: (no: number) => string) => Array.from({ length }, (_, no) => entry(no))
  const entries = (text: string) => problemsIn(text).map(formatProblem)

  test('steps', () => {
    const tiers = (length: number) =>
      changed(['window: 30d', 'window: 999d'], ['at_most: 4 per week', 'at_most: 400 per week']).replace(
        /^tiers:[\s\S]*/m,
        () =>
          [
            'tiers:',
            ...list(
              length,
              (no) => `  - name: t${no}
    inactive: ${no + 1}d..${no + 2}d
    steps: [{ id: s${no}, channel: log, when: ${no > 0 ? `"!s${no - 1}.sent"` : 'orders.count > 1'} }]`,
            ),
          ].join('\n'),
      )
    expect(entries(tiers(300)).filter((each) => each.includes(' error '))).toEqual([])
    const line = tiers(301).split('\n').indexOf('tiers:') + 1
    expect(entries(tiers(301))).toEqual([
      `${FILE}:${line}:1  error  tiers: the tiers have 301 steps, and a campaign at most 300; make it several campaigns`,
    ])
  })

  test('entries of a block or a list, in campaigns and in the workspace', () => {
    const seeds = changed(['window: 30d', `window: 30d\nseeds: [${list(1001, String).join(', ')}]`])
    expect(entries(seeds)).toEqual([
      expect.stringMatching(/ {2}error {2}seeds: `seeds` has 1,001 entries, and at most 1,000 may be; /),
    ])
    const attributes = list(1001, (no) => `  a${no}: strng`)
    const { problems } = readWorkspace(
      'winback.yaml',
      `version: 1\nattributes:\n${attributes.join('\n')}\n`,
      environmentFrom({}),
      '/',
    )
    expect(problems.map(formatProblem)).toEqual([
      expect.stringMatching(/^winback\.yaml:2:1 {2}error {2}attributes: `attributes` has 1,001 entries/),
    ])
  })

  test('characters of one text, which is not repeated', () => {
    const [problem, ...more] = problemsIn(changed(['title: Graded recall', `title: ${'x'.repeat(20_001)}`]))
    expect(more).toEqual([])
    expect(problem).toMatchObject({
      path: 'title',
      found: '20,001 characters',
      message: 'this text has 20,001 characters, and at most 20,000 may be; shorten it',
    })
  })
})

test('a currency that is none is told of once, and not of each amount', () => {
  const text = WORKSPACE_YAML.replace('currency: CNY', 'currency: RMB')
  const { problems } = readWorkspace('winback.yaml', text, environmentFrom({}), '.')
  expect(problems.map(formatProblem)).toEqual([
    'winback.yaml:4:11  error  currency: `RMB` is not an ISO 4217 currency such as CNY; did you mean `CNY`?',
  ])
  const workspace = { ...sampleWorkspace(), currency: 'RMB' }
  expect(problemsIn(CAMPAIGN_YAML, sampleTemplates(), workspace)).toEqual([])
})

test('a trusted proxy is an address or a range, and not everybody', () => {
  const proxies = [
    '10.0.0.7',
    '10.0.0.0/8',
    'fd00::/8',
    'nginx',
    '10.0.0.0/33',
    '0.0.0.0/0',
    '::/0',
    'fe80::1%eth0',
  ]
  const text = `${WORKSPACE_YAML}web:\n  trusted_proxies:\n${proxies.map((proxy) => `    - "${proxy}"\n`).join('')}`
  const { problems } = readWorkspace('winback.yaml', text, environmentFrom({}), '.')
  expect(
    problems.map((problem) => formatProblem(problem).replace(/^winback\.yaml:\d+:7 {2}error {2}/, '')),
  ).toEqual([
    'web.trusted_proxies[3]: expected an address or a range such as 10.0.0.7, 10.0.0.0/8 or fd00::/8, found `nginx`',
    'web.trusted_proxies[4]: expected an address or a range such as 10.0.0.7, 10.0.0.0/8 or fd00::/8, found `10.0.0.0/33`',
    'web.trusted_proxies[5]: expected the addresses of your proxies, not everybody, found `0.0.0.0/0`',
    'web.trusted_proxies[6]: expected the addresses of your proxies, not everybody, found `::/0`',
    'web.trusted_proxies[7]: expected an address or a range such as 10.0.0.7, 10.0.0.0/8 or fd00::/8, found `fe80::1%eth0`',
  ])
})

test.each([
  ['from: Shop <hello@shop.example>', 'from: Tea', 'channels.email.from', 'one address, with or without'],
  [
    'smtp: {',
    'reply_to: a@x.example, b@x.example\n    smtp: {',
    'channels.email.reply_to',
    'one address, with or without',
  ],
  ['smtp: {', 'bounces: undelivered\n    smtp: {', 'channels.email.bounces', 'an address of at most 16'],
  [
    'smtp: {',
    'unsubscribe: those-who-unsubscribe@x.example\n    smtp: {',
    'channels.email.unsubscribe',
    'an address of at most 16',
  ],
  [
    'host: 127.0.0.1',
    'host: smtp://mail.example:587',
    'channels.email.smtp.host',
    'the name or address of a server alone',
  ],
  [
    'host: 127.0.0.1',
    'host: https://mail.example/',
    'channels.email.smtp.host',
    'the name or address of a server alone',
  ],
  [
    'host: 127.0.0.1',
    'host: mail.example:587',
    'channels.email.smtp.host',
    'the name or address of a server alone',
  ],
  [
    'host: 127.0.0.1',
    'host: me@mail.example',
    'channels.email.smtp.host',
    'the name or address of a server alone',
  ],
  [
    'host: 127.0.0.1',
    'host: mail example',
    'channels.email.smtp.host',
    'the name or address of a server alone',
  ],
  [
    'channels:',
    'database:\n  url: mysql://shop@db/shop\nchannels:',
    'database.url',
    'a PostgreSQL url such as postgres://',
  ],
  ['channels:', 'database:\n  url: localhost/shop\nchannels:', 'database.url', 'a PostgreSQL url such as'],
  ['channels:', 'redis:\n  url: cache:6379\nchannels:', 'redis.url', 'a Redis url such as redis://'],
  [
    'channels:',
    'sync:\n  people: { kind: contacts, query: SELECT 1, cursor: at, url: mysql://shop@db/shop }\nchannels:',
    'sync.people.url',
    'a PostgreSQL url such as postgres://',
  ],
])('an address that is none: %s → %s', (from, to, path, expected) => {
  const text = WORKSPACE_YAML.replace(from, to)
  const { problems } = readWorkspace('winback.yaml', text, environmentFrom({}), '.')
  expect(problems).toHaveLength(1)
  const [problem] = problems
  const found = problem?.found ?? ''
  expect(to).toContain(found)
  expect(problem).toMatchObject({ path, message: `expected ${problem?.expected}, found \`${found}\`` })
  expect(problem?.expected?.slice(0, expected.length)).toBe(expected)
  expect(`${problem?.location.line}:${problem?.location.column}`).toBe(placeOf(text, found))
})

test.each([
  ['smtp://mail.example:587', 'mail.example'],
  ['https://mail.example/', 'mail.example'],
  ['smtps://me:pass@mail.example', 'mail.example'],
  ['mail.example:587', 'mail.example'],
  ['[::1]', '::1'],
  ['smtp://[fd00::25]:25', 'fd00::25'],
  ['mail.example,', undefined],
])('of a mail server its host is written: %s → %s', (host, suggestion) => {
  const said = (text: string, variables: Record<string, string>) =>
    readWorkspace('winback.yaml', text, environmentFrom(variables), '.').problems
  const written = WORKSPACE_YAML.replace('host: 127.0.0.1', `host: "${host}"`)
  expect(said(written, {})).toMatchObject([{ path: 'channels.email.smtp.host', suggestion }])
  const referred = WORKSPACE_YAML.replace('host: 127.0.0.1', `host: "\${SMTP_HOST}"`)
  const told = said(referred, { SMTP_HOST: host })
  expect(told).toMatchObject([{ found: '${SMTP_HOST}', suggestion: undefined }])
  expect(JSON.stringify(told)).not.toContain(host)
})

test.each([
  'mail.example',
  'localhost',
  'smtp_relay',
  '10.0.0.7',
  '::1',
  'fe80::1%eth0',
  'mail.example.',
  '邮件.example',
])('a mail server as it should be: %s', (host) => {
  const text = WORKSPACE_YAML.replace('host: 127.0.0.1', `host: "${host}"`)
  expect(readWorkspace('winback.yaml', text, environmentFrom({}), '.').problems).toEqual([])
})

test.each([
  'database:\n  url: postgresql://shop@db/shop',
  'database:\n  url: /var/run/postgresql shop',
  'redis:\n  url: redis+sentinel://a:26379,b:26379/shop',
])('a url as it should be: %s', (block) => {
  const { problems } = readWorkspace('winback.yaml', `${WORKSPACE_YAML}${block}\n`, environmentFrom({}), '.')
  expect(problems).toEqual([])
})

test('a url of the environment is told by its protocol alone, where it is used', () => {
  const environment = environmentFrom({ DATABASE_URL: 'mysql://shop:secret@db/shop' })
  const said = (text: string) => readWorkspace('winback.yaml', text, environment, '.').problems
  expect(said(WORKSPACE_YAML)).toMatchObject([
    {
      path: 'database.url',
      found: 'mysql:',
      message: expect.stringMatching(
        /^the environment variable DATABASE_URL .* found `mysql:`; unset it, or/,
      ),
    },
  ])
  expect(JSON.stringify(said(WORKSPACE_YAML))).not.toContain('secret')
  expect(said(`${WORKSPACE_YAML}database:\n  url: postgres://db/shop\n`)).toEqual([])
})

test.each([
  ['contact.vip and contact.points > 3', 'and', 'write && for `and`'],
  ['contact.vip OR contact.points > 3', 'OR', 'write || for `OR`'],
  ['contact.points > 3 && not contact.vip', 'not', 'write ! for `not`'],
  ['activity.silence > 30 days', '30 days', 'write 30d for `30 days`'],
  ['activity.silence > 2Weeks', '2Weeks', 'write 2w for `2Weeks`'],
  ['activity.silence > 1 month', '1 month', 'write 30d for `1 month`'],
  ['> 30 days', '>', 'what is compared stands before the sign: activity.silence > 30d'],
  ['contact.status = "a = b"', '= "', 'a single =; write == to compare'],
  ['contact.status <> "a"', '<>', 'write != for `<>`'],
  ['contact.status is not null', 'is', 'write != null for `is not null`'],
  ['contact.status not in ["a"]', 'not', 'write !(contact.x in ["a", "b"]) for `not in`'],
  ['contact.status in ("a", "b")', '("a', 'a list stands in square brackets: in ["a", "b"]'],
  ['orders.total >= 2,000', '2,000', 'write 2000 for `2,000`'],
  ['orders.total >= 99.5 CNY', '99.5', 'write 99.5 for `99.5 CNY`: amounts are in the workspace’s currency'],
  ['orders.total >= 2000.0 AND contact.vip', 'AND', 'write && for `AND`'],
  ['orders.total => 3', '=>', 'write >= for `=>`'],
  ['contact.vip & has(contact.points)', '&', 'write && for `&`'],
  ['price: cheap', ': cheap', 'write == to compare: contact.x == "a"'],
  ['contact.vip && (orders.count > 3', '(orders', 'this bracket is closed nowhere; write )'],
  [
    'orders.count > 3 orders.total > 5',
    'orders.total',
    /^`orders.total` follows on .*; join the two with && or/,
  ],
  ['contact.status == "and', '"and', /^this quote is closed nowhere/],
])('a slip in a condition: %s', (condition, at, says) => {
  const text = changed(['contact.status == "active"', `'${condition}'`])
  const [problem, ...more] = problemsIn(text)
  expect(more).toEqual([])
  expect(problem?.message.replace('not a CEL condition: ', '')).toMatch(says)
  if (typeof says === 'string') expect(problem?.message).toBe(`not a CEL condition: ${says}`)
  const start = text.indexOf(condition)
  expect(problem?.location).toMatchObject({
    line: 5,
    column: placeColumn(text, start + condition.indexOf(at)),
  })
})

test.each([
  ['contact.vip == True', 'unknown fact True; write true'],
  ['contact.first_name != None', 'unknown fact None; write null'],
  ['contact.status == cheap', 'unknown fact cheap; a text stands in quotes: "cheap"'],
  ['activity.silence > "30d"', /; a duration stands without quotes: 30d$/],
  ['contact.born_at > 2026-01-01', /; write timestamp\("/],
])('a slip in a value of a condition: %s', (condition, says) => {
  const said = problemsIn(changed(['contact.status == "active"', `'${condition}'`])).map(
    ({ message }) => message,
  )
  expect(said).toEqual([typeof says === 'string' ? says : expect.stringMatching(says)])
})

test('a rate is of a channel there is', () => {
  const text = `${WORKSPACE_YAML}rates:\n  emial: { at_most: 10 per 1s }\n`
  const { problems } = readWorkspace('winback.yaml', text, environmentFrom({}), '.')
  expect(problems.map(formatProblem)).toEqual([
    expect.stringMatching(
      /^winback\.yaml:\d+:3 {2}error {2}rates\.emial: unknown channel `emial`; there are email, log; did you mean `email`\?$/,
    ),
  ])
})

test('consent is asked for a channel there is, set up or not', () => {
  const text = `${WORKSPACE_YAML}consent: { smss: required, push: required }\n`
  const { problems } = readWorkspace('winback.yaml', text, environmentFrom({}), '.')
  expect(problems.map(formatProblem)).toEqual([
    expect.stringMatching(
      /error {2}consent\.smss: unknown channel `smss`; there are .*; did you mean `sms`\?$/,
    ),
  ])
})

test('a benefit has a name, and a price of its own costs something', () => {
  const offerOf = (terms: string) => changed(['kind: coupon, amount: 5 CNY', `kind: benefit, ${terms}`])
  const said = (terms: string) =>
    problemsIn(offerOf(terms))
      .filter(({ path }) => path.startsWith('offers'))
      .map(formatProblem)
  expect(said('name: Members’ price, form: price, value: 5 CNY')).toEqual([])
  expect(said('name: A tin of tea, value: 0 CNY')).toEqual([])
  expect(said('name: Members’ price, form: price, value: 0 CNY')).toEqual([
    expect.stringContaining('a price has to say what one redemption costs you'),
  ])
  expect(said('name: " ", form: plan, value: 5 CNY')).toEqual([
    expect.stringContaining('the message would call the benefit nothing; name it'),
  ])
})

test('an empty file and a list are no campaign', () => {
  expect(problemsIn('').map(formatProblem)).toEqual([
    `${FILE}:1:1  error  expected a block of keys, found nothing`,
  ])
  expect(problemsIn('- a\n').map(formatProblem)).toEqual([
    `${FILE}:1:1  error  expected a block of keys, found a list`,
  ])
})

test('the nearest name is near', () => {
  const names = ['email', 'log', 'inactive', 'unfinished-order']
  expect(nearest('emial', names)).toBe('email')
  expect(nearest('Email', names)).toBe('email')
  // Short names are one edit from each other; a capital is none.
  expect(nearest('b', ['A', 'B'])).toBe('B')
  expect(nearest('unfinished_ordr', names)).toBe('unfinished-order')
  expect(nearest('sms', names)).toBeUndefined()
  expect(nearest('push', names)).toBeUndefined()
  expect(nearest('x', [])).toBeUndefined()
})

test.each([
  'sunset: { episodes: 3000000000 }',
  'risk: { use: { days: 3000000000 } }',
  'risk: { assignments: { open: 3000000000 } }',
])('a count of signals that no column of the database holds is refused where it stands: %s', (count) => {
  const text = `${WORKSPACE_YAML}signals: { ${count} }\n`
  const { problems } = readWorkspace('winback.yaml', text, environmentFrom({}), '/')
  expect(problems).toMatchObject([{ message: expect.stringContaining('2147483647') }])
})
