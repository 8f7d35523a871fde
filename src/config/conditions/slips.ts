// What people write in a condition who know SQL, a spreadsheet or plain English better than CEL: each with what to write.

type Slip = readonly [pattern: RegExp, says: (found: string, parts: readonly string[]) => string | undefined]

const instead = (text: string) => (found: string) => `write ${text} for \`${found}\``

const UNITS: Readonly<Record<string, readonly [times: number, unit: string]>> = {
  s: [1, 's'],
  m: [1, 'm'],
  h: [1, 'h'],
  d: [1, 'd'],
  w: [1, 'w'],
  mo: [30, 'd'],
  y: [365, 'd'],
}

/** `30d` for `30 days`; months and years in days, for they have no length of their own. */
function shortDuration(found: string, [number = '', word = '']: readonly string[]): string | undefined {
  const name = word.toLowerCase()
  const [times, unit] = UNITS[name.startsWith('mo') ? 'mo' : name.charAt(0)] ?? [1, 'd']
  const short = `${Number(number) * times}${unit}`
  return short === found ? undefined : `write ${short} for \`${found}\``
}

const SLIPS: readonly Slip[] = [
  [
    /^\s*(?:[<>]=?|[=!]=?)(?=\s*[\w"'])(?!\s*[(!])/,
    (found) =>
      found.trim() === '!' ? undefined : 'what is compared stands before the sign: activity.silence > 30d',
  ],
  [/(?<=[\s)])and(?=[\s(])/i, instead('&&')],
  [/(?<=[\s)])or(?=[\s(])/i, instead('||')],
  [/(?<=[\s)])xor(?=[\s(])/i, () => 'write != between two conditions for `xor`'],
  [/(?<=[\s)\]])not\s+in(?=[\s(])/i, () => 'write !(contact.x in ["a", "b"]) for `not in`'],
  [/(?<=\s)is\s+not\s+null\b/i, instead('!= null')],
  [/(?<=\s)is\s+null\b/i, instead('== null')],
  [/(?<=\s)is(?=\s)/i, instead('==')],
  [/(?<=^|[\s(])not(?=[\s(])/i, instead('!')],
  [/并且|而且|[且和]/, instead('&&')],
  [/或者|或/, instead('||')],
  [/<>/, instead('!=')],
  [/!==/, instead('!=')],
  [/===/, instead('==')],
  [/=>/, instead('>=')],
  [/=</, instead('<=')],
  [/=~/, () => 'regular expressions are not allowed; use startsWith, endsWith or contains'],
  [/(?<![=!<>])=(?![=~<>])/, () => 'a single =; write == to compare'],
  [/≥/, instead('>=')],
  [/≤/, instead('<=')],
  [/≠/, instead('!=')],
  [/(?<!&)&(?!&)/, instead('&&')],
  [/(?<!\|)\|(?!\|)/, instead('||')],
  [
    /(?<![\w.])(\d+(?:\.\d+)?)\s*(s(?:ec(?:ond)?s?)?|m(?:in(?:ute)?s?)?|mo(?:nth)?s?|h(?:(?:ou)?rs?)?|d(?:ays?)?|w(?:eeks?)?|y(?:ears?)?)(?!\w)/i,
    shortDuration,
  ],
  [/(?<=\d[smhdw])\s+ago\b/i, () => 'write now - 30d for `30d ago`'],
  [/(?<![\w.,[])\d{1,3}(?:[,_]\d{3})+(?![\w,\]])/, (found) => instead(found.replace(/[,_]/g, ''))(found)],
  [
    /(?<![\w.])(\d+(?:\.\d+)?)\s*(?!AND|XOR|NOT)[A-Z]{3}(?!\w)/,
    (found, [number = '']) => `write ${number} for \`${found}\`: amounts are in the workspace’s currency`,
  ],
  [
    /(?<![\w.])(\d+(?:\.\d+)?)%(?=\s*(?:$|[)&|]))/,
    (found, [number = '']) => instead(String(Number(number) / 100))(found),
  ],
  [/(?<=\s)(?:i?like)(?=\s)/i, () => 'write contact.x.startsWith("…"), endsWith or contains for `like`'],
  [/(?<=\s)between(?=\s)/i, () => 'write x >= 3 && x <= 5 for `between`'],
  [/(?<=\s)IN(?=\s*[[(])/, instead('in')],
  [/(?<=\sin\s*)\((?=[^()]*,)/, () => 'a list stands in square brackets: in ["a", "b"]'],
  [/\{\{/, () => 'a fact stands without braces: contact.x'],
  [/\$(?=\{?[A-Za-z_])/, () => 'a fact stands without `$`: contact.x'],
  [/^\s*if\b/i, () => 'a condition begins without `if`'],
  [/;/, instead('&&')],
  [/(?<=\s)#/, () => 'a comment begins with //'],
  [/^\s*[A-Za-z_][\w.]*\s*(:)(?!.*\?)/, () => 'write == to compare: contact.x == "a"'],
]

/** The first of them in a condition that could not be read, outside of its texts. Pure. */
export function findSlip(source: string): { readonly offset: number; readonly message: string } | undefined {
  const bare = source.replace(
    /"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'/g,
    (text) => `"${' '.repeat(text.length - 2)}"`,
  )
  const found = SLIPS.flatMap(([pattern, says]) =>
    [...bare.matchAll(new RegExp(pattern, `${pattern.flags}g`))].flatMap((match) => {
      const lead = /^\s*/.exec(match[0])?.[0].length ?? 0
      const message = says(match[0].trim(), match.slice(1))
      // Of a key and its colon, the colon is what is wrong.
      const colon = match[1] === ':' ? match[0].length - 1 - lead : 0
      return message === undefined ? [] : [{ offset: match.index + lead + colon, message }]
    }),
  )
  return found.toSorted((a, b) => a.offset - b.offset)[0]
}

/** Where a round bracket stands that has no other half; undefined where all have. Pure. */
export function loneBracket(
  source: string,
): { readonly offset: number; readonly message: string } | undefined {
  const open: number[] = []
  for (const match of source.matchAll(/"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[()]/g)) {
    if (match[0] === '(') open.push(match.index)
    else if (match[0] === ')' && open.pop() === undefined) {
      return { offset: match.index, message: 'this bracket closes nothing; take it out' }
    }
  }
  const offset = open.at(-1)
  return offset === undefined ? undefined : { offset, message: 'this bracket is closed nowhere; write )' }
}
