import { hash } from 'node:crypto'

// The one style sheet, made by hand. Light and dark by the system's wish; two colours carry meaning (good, bad), one
// leads (accent), all else is ink on paper. Sizes are in rem, so that a reader's larger type enlarges everything.

const COLOURS = `
:root { color-scheme: light dark;
  --ink: #1d2528; --soft: #566167; --paper: #f7f6f2; --card: #fff; --line: #e0ddd4; --wash: #efede6;
  --accent: #0b626a; --on-accent: #fff; --good: #1f6b3b; --good-wash: #e6f2e8; --bad: #a3271d; --bad-wash: #fbe9e6; --warn: #7a4b00; --warn-wash: #fbf0d9;
  --edge: rgb(30 30 20 / 22%); --shade: 0 1px 2px rgb(30 30 20 / 6%), 0 4px 16px rgb(30 30 20 / 5%) }
@media (prefers-color-scheme: dark) { :root {
  --ink: #e9e8e3; --soft: #a8aeae; --paper: #14181a; --card: #1d2326; --line: #333b3f; --wash: #262d31;
  --accent: #7fd0d3; --on-accent: #06282b; --good: #8fd3a2; --good-wash: #1b3324; --bad: #f2a59b; --bad-wash: #3d201d; --warn: #f0c987; --warn-wash: #3a2c12;
  --edge: rgb(0 0 0 / 45%); --shade: none } }
`

const FRAME = `
* { box-sizing: border-box }
html { -webkit-text-size-adjust: 100% }
body { margin: 0; background: var(--paper); color: var(--ink); overflow-wrap: break-word;
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", "Noto Sans", sans-serif }
a { color: var(--accent); text-underline-offset: .18em }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 4px }
.skip { position: absolute; left: -999px } .skip:focus { left: 1rem; top: .5rem; background: var(--card); padding: .5rem 1rem; z-index: 2 }
.top { display: flex; align-items: center; gap: .5rem 1rem; padding: .7rem 1.5rem; border-bottom: 1px solid var(--line); background: var(--card) } .top > :not(.brand) { flex: none }
.brand { font-weight: 650; color: var(--ink); text-decoration: none; margin-right: auto; letter-spacing: -.01em; min-width: min(8rem, 100%); overflow-wrap: anywhere }
.brand span { color: var(--accent) }
.top form { margin: 0 } .who { color: var(--soft); font-size: .875rem; max-width: 40%; overflow-wrap: anywhere }
.frame { display: grid; grid-template-columns: 12.5rem minmax(0, 1fr); max-width: 84rem; margin: 0 auto }
.side { padding: 1.5rem 0 1.5rem 1.5rem } .side ul { list-style: none; margin: 0; padding: 0; position: sticky; top: 1rem }
.side a { display: block; padding: .45rem .8rem; border-radius: 8px; text-decoration: none; color: var(--soft) }
.side a:hover { background: var(--wash); color: var(--ink) }
.side a[aria-current] { background: var(--wash); color: var(--ink); font-weight: 600 }
main { padding: 1.5rem; min-width: 0 }
footer { color: var(--soft); font-size: .85rem; padding: 1rem 1.5rem 2.5rem; max-width: 84rem; margin: 0 auto; text-align: right }
@media (max-width: 48rem) {
  .top { padding: .6rem 1rem; gap: .4rem .8rem; flex-wrap: wrap } .who { display: none } .frame { display: block }
  .side { padding: 0; border-bottom: 1px solid var(--line); background: var(--card) }
  .side ul { display: flex; flex-wrap: wrap; padding: .35rem .6rem; position: static }
  .side a { white-space: nowrap; padding: .45rem .6rem }
  main { padding: 1rem } footer { padding: 1rem; text-align: left } }
`

const TEXT = `
h1 { font-size: 1.6rem; line-height: 1.2; letter-spacing: -.015em; margin: .2rem 0 1rem }
h2 { font-size: 1.1rem; margin: 0 0 .6rem } h3 { font-size: 1rem; margin: 1rem 0 .4rem } h3 small { font-weight: 400 }
p { margin: 0 0 .8rem; max-width: 46rem; text-wrap: pretty } .soft, small, time { color: var(--soft) } small { font-size: .85rem }
.lead { font-size: 1.2rem; line-height: 1.45; max-width: 50rem } .lead.good { color: var(--good) } .lead.bad { color: var(--bad) }
.good { color: var(--good) } .bad { color: var(--bad) }
code, pre, .mono { font: .85rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, "Noto Sans Mono CJK SC", monospace }
code { background: var(--wash); padding: .1em .35em; border-radius: 4px; overflow-wrap: anywhere }
pre { background: var(--wash); padding: 1rem; border-radius: 10px; overflow: auto; margin: 0 0 1rem; max-height: 38rem }
pre .add { color: var(--good); background: var(--good-wash); display: block } pre .del { color: var(--bad); background: var(--bad-wash); display: block }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: 1.1rem 1.25rem; margin: 0 0 1.1rem; box-shadow: var(--shade); min-width: 0 }
.card > :last-child { margin-bottom: 0 } details.card:not([open]) { padding-block: .7rem }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); gap: 1.1rem; margin: 0 0 1.1rem } .cards > .card { margin: 0 }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .8rem 1rem; margin: 0 0 .4rem }
.figures dt { color: var(--soft); font-size: .85rem } .figures dd { margin: 0; font-size: 1.45rem; font-weight: 600; letter-spacing: -.02em; font-variant-numeric: tabular-nums }
.figures small { display: block; line-height: 1.4 } .figures dd small { font-weight: 400; letter-spacing: 0 } .figures dd.good { color: var(--good) } .figures dd.bad { color: var(--bad) }
.about { max-width: none } .about span { display: inline-block; overflow-wrap: anywhere } small.under { display: block }
.note { border-left: 4px solid var(--accent); background: var(--card); padding: .7rem 1rem; border-radius: 0 10px 10px 0; margin: 0 0 1.1rem; overflow-wrap: anywhere }
.note.bad { border-color: var(--bad); background: var(--bad-wash) } .note.good { border-color: var(--good); background: var(--good-wash) }
.empty { text-align: center; padding: 2.5rem 1rem; color: var(--soft) } .empty p { margin: 0 auto .8rem }
.tag { display: inline-block; font-size: .8rem; padding: .1rem .55rem; border-radius: 99px; background: var(--wash); color: var(--ink); white-space: nowrap }
.tag.good { background: var(--good-wash); color: var(--good) } .tag.bad { background: var(--bad-wash); color: var(--bad) }
.tag.warn { background: var(--warn-wash); color: var(--warn) }
kbd { font: .8rem/1 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; border: 1px solid var(--line); border-bottom-width: 2px; border-radius: 5px; padding: .1rem .4rem; background: var(--card); color: var(--soft); white-space: nowrap }
button kbd { background: transparent; color: inherit; border-color: currentcolor; margin-left: .3rem }
.tabs { display: flex; gap: .3rem; overflow-x: auto; margin: 0 0 1.1rem; border-bottom: 1px solid var(--line) }
.tabs a { padding: .5rem .8rem; text-decoration: none; color: var(--soft); white-space: nowrap; border-bottom: 2px solid transparent; margin-bottom: -1px }
.tabs a[aria-current] { color: var(--ink); border-color: var(--accent); font-weight: 600 } .tabs a:focus-visible { outline-offset: -3px }
@media (max-width: 48rem) { .tabs { flex-wrap: wrap; border: 0 } .tabs a { padding: .35rem .6rem; margin: 0 } }
.tabs.choices { flex-wrap: wrap; border: 0; margin: 0 0 .35rem; gap: 0 .2rem; font-size: .93rem } .choices a { padding: .25rem .6rem; margin: 0; white-space: normal; overflow-wrap: anywhere } .choices + .card { margin-top: 1.1rem } .folded { margin: 0 0 .35rem; padding: 0 .6rem; font-size: .93rem }
.story { list-style: none; margin: 0; padding: 0 } .story li { position: relative; padding: 0 0 1rem 1.4rem; border-left: 2px solid var(--line); margin-left: .4rem }
.story li::before { content: ""; position: absolute; left: -.43rem; top: .45rem; width: .75rem; height: .75rem; border-radius: 50%; background: var(--card); border: 2px solid var(--accent) }
.story li.done::before { background: var(--accent) } .story li.good::before { background: var(--good); border-color: var(--good) }
.story li:last-child { border-color: transparent } .story time { display: block; font-size: .85rem }
figure { margin: 0 0 1.1rem } .chart { background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: 1.1rem 1.25rem; box-shadow: var(--shade) }
.chart figcaption { font-size: 1.1rem; font-weight: 700; margin: 0 0 .4rem } .chart svg { display: block; max-width: 100%; height: auto; margin: 0 auto } .chart svg text { font-family: inherit } .chart .narrow-chart { display: none }
@media (max-width: 36rem) { .chart .wide-chart { display: none } .chart .narrow-chart { display: block } }
@media (prefers-color-scheme: dark) { .chart svg { filter: invert(.9) hue-rotate(180deg); } }
`

const TABLES = `
.wide { overflow-x: auto; margin: 0 -5px .6rem; padding: 0 5px; background: linear-gradient(to right, var(--card) 30%, transparent) 0 0 / 3rem 100% local no-repeat, linear-gradient(to left, var(--card) 30%, transparent) 100% 0 / 3rem 100% local no-repeat,
  linear-gradient(to right, var(--edge), transparent) 0 0 / .9rem 100% scroll no-repeat, linear-gradient(to left, var(--edge), transparent) 100% 0 / .9rem 100% scroll no-repeat }
 table { border-collapse: collapse; width: 100%; font-size: .93rem }
th, td { text-align: left; padding: .5rem .8rem .5rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
thead th { vertical-align: bottom } tbody time { white-space: nowrap } thead th.num { white-space: normal }
tbody tr:last-child td, tbody tr:last-child th { border-bottom: 0 } th { font-weight: 600; color: var(--soft); font-size: .85rem }
tbody th { color: var(--ink); font-size: inherit; font-weight: 400 } .heat tbody th { font-weight: 500 } tbody small { overflow-wrap: anywhere }
th:not(.num), td:not(.num) { max-width: 22rem } .unbroken { white-space: nowrap }
@media (max-width: 48rem) { th:not(.num), td:not(.num) { min-width: 6.5rem; overflow-wrap: anywhere } th:first-child:not(.num), td:first-child:not(.num) { min-width: 7rem } }
@media (max-width: 36rem) { .stacked thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%) } .stacked, .stacked tbody { display: block } .stacked tr { display: block; padding: .6rem 0; border-bottom: 1px solid var(--line) } .stacked tr:last-child { border-bottom: 0 }
 .stacked tbody :is(td, th), .stacked tbody :is(td, th):not(.num) { display: flex; flex-wrap: wrap; justify-content: flex-end; gap: 0 1rem; min-width: 0; padding: .15rem 0; border: 0; white-space: normal; text-align: right; overflow-wrap: anywhere } .stacked tbody :is(td, th)::before { content: attr(data-title); color: var(--soft); font-size: .85rem; text-align: left; flex: none; max-width: 60%; margin-right: auto }
 .stacked tbody :is(td, th):first-child:not(.num) { justify-content: flex-start; min-width: 0; font-weight: 600; text-align: left } .stacked tbody th::before, .stacked tbody td[data-title=""]::before { content: none } .stacked td[data-title=""]:not(:first-child) { justify-content: flex-end } .stacked th a { display: inline-block; min-width: 2.75rem; padding-block: .35rem } .stacked tbody td:empty { display: none } .stacked tbody time { white-space: normal } }
.heat td { border: 2px solid var(--card); padding: .5rem .8rem } .heat th.num { padding-right: .8rem } .heat .sum td, .heat .sum th { font-weight: 600; border-top: 1px solid var(--line) }
.heat-1 { background: color-mix(in srgb, var(--accent) 8%, var(--card)) } .heat-2 { background: color-mix(in srgb, var(--accent) 16%, var(--card)) } .heat-3 { background: color-mix(in srgb, var(--accent) 24%, var(--card)) }
.heat-4 { background: color-mix(in srgb, var(--accent) 32%, var(--card)) } .heat-5 { background: color-mix(in srgb, var(--accent) 40%, var(--card)) }
@media (max-width: 48rem) { .heat th:first-child:not(.num) { min-width: 4rem; overflow-wrap: normal } .heat td, .heat th.num { padding-left: .3rem; padding-right: .5rem } }
@media (max-width: 36rem) { .heat thead th.num { overflow-wrap: anywhere } .heat td, .heat th.num { padding-right: .3rem } table:not(.stacked, .heat) :is(th, td):not(:first-child, .num) { min-width: 5rem } table:not(.stacked, .heat) :is(th, td) { padding-right: .5rem } }
@media (max-width: 22rem) { table:not(.stacked, .heat) :is(th, td):first-child:not(.num) { min-width: 5rem } table:not(.stacked, .heat) :is(th, td):last-child:not(:first-child, .num) { min-width: 4.7rem; padding-right: 0 } }
.bars { list-style: none; margin: 0; padding: 0 } .bars li { display: grid; grid-template-columns: minmax(40%, 1fr) auto; gap: .1rem 1rem; margin: 0 0 .8rem } .bars strong { font-variant-numeric: tabular-nums; text-align: right }
.bars .tag, h2 .tag { white-space: normal; overflow-wrap: anywhere } .bars small { grid-column: 1 / -1 } .bars strong small { font-weight: 400 } .steps li { margin: 0 0 1.1rem } .bars svg { grid-column: 1 / -1; width: 100%; display: block; fill: var(--accent) } .bars .ground { fill: var(--wash) }
.num { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap } .num + :not(.num) { padding-left: .6rem } td form { display: inline } td button.plain { padding-block: 0 }
`

const FORMS = `
form { margin: 0 0 1rem } label { display: block; margin: 0 0 .8rem; font-weight: 500 } label small { display: block; font-weight: 400 }
input, select, textarea { font: inherit; color: inherit; background: var(--card); border: 1px solid #8a9499; border-radius: 8px; padding: .5rem .7rem; min-height: 2.6rem; width: 100%; max-width: 26rem; display: block; margin-top: .2rem }
select, input:not([type=checkbox], [type=radio]) { height: 2.7rem }
input[hidden] { display: none }
input[type=checkbox], input[type=radio] { width: 1.15rem; min-height: 1.15rem; height: 1.15rem; display: inline-block; vertical-align: -.2rem; margin: 0 .5rem 0 0; accent-color: var(--accent) }
label.tick { font-weight: 400; margin: 0 0 .4rem }
fieldset { border: 1px solid var(--line); border-radius: 10px; margin: 0 0 .8rem; padding: .6rem 1rem; max-width: 30rem; min-width: 0 } legend { font-weight: 600; padding: 0 .3rem }
button, .button { font: inherit; font-weight: 600; border-radius: 8px; border: 1px solid var(--accent); background: var(--accent); color: var(--on-accent); padding: .5rem 1rem; min-height: 2.6rem; cursor: pointer; text-decoration: none; display: inline-block }
button.quiet, .button.quiet { background: transparent; color: var(--accent) }
button.plain { background: none; border: 0; color: var(--accent); padding: .2rem .3rem; min-height: 0; font-weight: 500; text-decoration: underline; text-underline-offset: .18em }
button.danger { background: var(--bad); border-color: var(--bad); color: var(--card) }
.keys { display: flex; flex-wrap: wrap; gap: .3rem .9rem; max-width: none; font-size: .9rem } .keys span { white-space: nowrap } @media (hover: none) and (pointer: coarse), (scripting: none) { kbd, .keys { display: none } } .cards.top-aligned { align-items: start } .number { font-size: 1.3rem; font-weight: 600; letter-spacing: .01em }
.cards.three { grid-template-columns: repeat(auto-fit, minmax(min(17rem, 100%), 1fr)) } .cards > fieldset { margin: 0; max-width: none } .cards + .row { margin: 1rem 0 0 }
.row { display: flex; flex-wrap: wrap; gap: .6rem; align-items: end; margin: 0 0 1rem } .row form, .row label { margin: 0 } .row .tick { align-self: end; padding: .5rem 0 }
.narrow { max-width: 25rem; margin: 8vh auto; padding: 1rem }
iframe { border: 1px solid var(--line); border-radius: 12px; background: #fff; width: 100%; height: 46rem; display: block } iframe.phone { width: 375px; max-width: 100%; margin: 0 auto }
iframe.dark { background: #121212 } iframe.sample { height: 32rem }
h3 + .wide { margin-top: -.2rem } details summary { overflow-wrap: anywhere; cursor: pointer; padding: .3rem 0; font-weight: 500 } details { margin: 0 0 .8rem } td details { margin: 0 } td summary { padding-block: 0 } fieldset .row { margin: 0; gap: 0 .9rem } fieldset .row .tick { padding: .2rem 0 }
.wrap { overflow-wrap: anywhere } .paper { white-space: pre-wrap; overflow-wrap: anywhere }
`

/** On paper there is nothing to press, and nothing scrolls. */
const PAPER = `
@media print { .top a:not(.brand), .top form, .side, .skip, .tabs, .row, main form, main button, .button, iframe { display: none } .frame { display: block } .wide, pre { overflow: visible; max-height: none; background: none }
 pre { white-space: pre-wrap } .card, .chart { box-shadow: none; break-inside: avoid } table { font-size: .8rem } th { font-size: .72rem } th, td { padding-right: .4rem } td { overflow-wrap: anywhere } h2, h3 { break-after: avoid } main, .top { padding-inline: 0 } }
`

export const STYLE = [COLOURS, FRAME, TEXT, TABLES, FORMS, PAPER].join('')

/** Named by its content, so that browsers may keep it for ever. */
export const STYLE_PATH = `/assets/${hash('sha256', STYLE, 'hex').slice(0, 16)}.css`
