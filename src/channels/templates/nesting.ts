// How deep a template nests, told from its text alone: the parsers of Handlebars and of HTML take seconds over a few
// thousand levels, and come to the end of their stack soon after.

/** Blocks of Handlebars within one another; a letter has three. */
const DEEPEST_BLOCK = 50
/** Each {{else if}} stands within the one before it, as the parser sees it. */
const MOST_BRANCHES = 500
/** Calls within one another, `(eq (eq a b) c)`. */
const DEEPEST_CALL = 50
/** Elements of HTML within one another; a letter of tables has twenty. */
const DEEPEST_ELEMENT = 200

interface Opened {
  readonly name: string
  readonly offset: number
}

/** Where a template is too deep, and why; undefined where it is not. Pure. */
export function tooDeep(source: string): { readonly offset: number; readonly message: string } | undefined {
  const block = blocksOf(source).deep
  if (block) {
    const message = `{{#${block.name}}} stands more than ${DEEPEST_BLOCK} blocks deep; close those above it, or take some out`
    return { offset: block.offset, message }
  }
  const branch = endlessElse(source)
  if (branch !== undefined) {
    return { offset: branch, message: `this is more than the ${MOST_BRANCHES}th {{else if}}; take some out` }
  }
  const call = deepCall(source)
  if (call !== undefined) {
    return { offset: call, message: `this stands more than ${DEEPEST_CALL} brackets deep; take some out` }
  }
  const offset = deepElement(source)
  return offset === undefined
    ? undefined
    : { offset, message: `more than ${DEEPEST_ELEMENT} elements are open here; close them, or nest less` }
}

/** The innermost block that is opened and closed nowhere, where the template ends within one. Pure. */
export function unclosedBlock(source: string): Opened | undefined {
  return blocksOf(source).open.at(-1)
}

/** The first {{/if}} or {{else}} that stands outside of every block. Pure. */
export function loneEnd(source: string): { readonly offset: number; readonly message: string } | undefined {
  let open = 0
  for (const { 1: sign, 2: name = '', 3: otherwise, index: offset } of source.matchAll(BLOCK)) {
    if (sign === '/' && open === 0) return { offset, message: `{{/${name}}} closes nothing; take it out` }
    if (otherwise !== undefined && open === 0) {
      return { offset, message: '{{else}} stands in no block; it belongs between {{#if …}} and {{/if}}' }
    }
    if (sign !== undefined) open += sign === '/' ? -1 : 1
  }
  return undefined
}

const BLOCK =
  /\\?\{\{~?!--[\s\S]*?(?:--~?\}\}|$)|\{\{~?![^}]*|\\\{\{|\{\{~?\s*(?:([#^/])>?\s*([A-Za-z_$@][\w.$@/-]*)|(else)\b(\s+[A-Za-z])?)/g

function blocksOf(source: string): { readonly open: readonly Opened[]; readonly deep?: Opened } {
  const open: Opened[] = []
  for (const { 1: sign, 2: name = '', index } of source.matchAll(BLOCK)) {
    if (sign === '/') open.pop()
    else if (sign !== undefined) open.push({ name, offset: index })
    if (open.length > DEEPEST_BLOCK) return { open, deep: { name, offset: index } }
  }
  return { open }
}

/** The {{else if}} that stands within too many, those of the blocks around it among them. */
function endlessElse(source: string): number | undefined {
  const open: number[] = []
  let branches = 0
  for (const { 1: sign, 4: further, index } of source.matchAll(BLOCK)) {
    if (sign === '/') branches -= open.pop() ?? 0
    else if (sign !== undefined) open.push(0)
    if (further === undefined || open.length === 0) continue
    open.push((open.pop() ?? 0) + 1)
    branches += 1
    if (branches > MOST_BRANCHES) return index
  }
  return undefined
}

/** What stands between {{ and }}; comments are read over. */
const MUSTACHE = /\{\{~?!--[\s\S]*?(?:--~?\}\}|$)|\{\{~?![^}]*|(\{\{(?:"[^"]*"|'[^']*'|\}(?!\})|[^}"']+)*)/g
const BRACKET = /"[^"]*"|'[^']*'|[()]/g

function deepCall(source: string): number | undefined {
  for (const { 1: inside, index } of source.matchAll(MUSTACHE)) {
    let depth = 0
    for (const { 0: sign, index: at } of (inside ?? '').matchAll(BRACKET)) {
      if (sign === '(') depth += 1
      else if (sign === ')') depth -= 1
      if (depth > DEEPEST_CALL) return index + at
    }
  }
  return undefined
}

/** Tags; comments are read over. */
const TAG = /<!--[\s\S]*?(?:-->|$)|<(\/?)([A-Za-z][\w:-]*)(?:"[^"]*"|'[^']*'|[^<>"'])*?(\/?)>/g
/** Elements that have no end, or whose end may be left out. */
const ENDLESS = new Set(
  'area base br col embed hr img input link meta source track wbr p li dt dd tr td th thead tbody tfoot option html head body colgroup'.split(
    ' ',
  ),
)

function deepElement(source: string): number | undefined {
  let depth = 0
  for (const { 1: end, 2: name, 3: alone, index } of source.matchAll(TAG)) {
    if (name === undefined || alone === '/' || ENDLESS.has(name.toLowerCase())) continue
    depth = end === '/' ? Math.max(0, depth - 1) : depth + 1
    if (depth > DEEPEST_ELEMENT) return index
  }
  return undefined
}
