import type { Problem } from '../../errors.ts'

// Secrets that somebody wrote into a file in clear. They are refused, and what is said of the file does not repeat them: it
// ends in logs, in the pages of a build server, and in what is sent to whoever is asked for help. The file may be none that
// can be parsed, so its lines are read as they stand, and rather too much is left out than too little.

/** What is said of one. */
export const IN_CLEAR = 'a secret stands here in clear; write it as ${NAME} or ${file:path}'

const NAME =
  '(?<![?&])(?:(?<![a-z0-9])(?:pass|pwd)|password|passwd|passphrase|secret|token|private_?key|api_?key|credentials?)'
const SECRET_NAME = new RegExp(`${NAME}$`, 'i')
const REFERENCES = '["\']?(?:\\$\\{(?:\\w+|file:[^}]*)\\})+["\']?[ \\t]*(?:[,}\\]#]|$)'
/** The name and the sign behind it, which may be full-width or miss its space, where more follows than references. */
const SECRET_KEY = new RegExp(`${NAME}["']?[ \\t]*[:：=](?![ \\t]*(?:${REFERENCES}|[>|]?$))[ \\t]*`, 'i')
/** A line whose value goes on below, or may. */
const BEGUN = new RegExp(`${NAME}["']?[ \\t]*:[ \\t]*\\S*$`, 'i')
/**
 * The password of a url; digits alone are a port. One that was shortened ends in the midst of it. What turns out to be none is
 * read past, too: a line of nothing but urls would else be read once for each of them.
 */
const URL_PASSWORD = /(:\/\/[^\s/@:"']{0,200}:)(?!\d+(?:[/?#\s"'`]|$))(?!\$\{\w+\}@)[^\s@"'…]+([@…]?)/g
const QUERY_PASSWORD = /(?<=[?&]password=)(?!\$\{\w+\})[^&\s"'`]+/gi

/** Whether a key is called as secrets are, also where it is none that is known here. */
export function looksSecret(key: string): boolean {
  return SECRET_NAME.test(key)
}

/** A text of one line without what it says of a secret: all that follows its name, and passwords of urls. */
function withoutSecrets(text: string): string {
  const key = SECRET_KEY.exec(text)
  const end = key ? key.index + key[0].length : text.length
  const shown = text
    .slice(0, end)
    .replace(URL_PASSWORD, (whole, before: string, after: string) => (after ? `${before}…${after}` : whole))
    .replace(QUERY_PASSWORD, '…')
  return end < text.length ? `${shown}…` : shown
}

/** A line of a YAML file as it may be shown; also one in which a secret goes on that was begun further up. */
export function shownLine(lines: readonly string[], no: number): string {
  const line = lines[no] ?? ''
  const indent = line.search(/\S|$/)
  if (indent === line.length) return line
  let least = indent
  for (const above of lines.slice(0, no).reverse()) {
    const own = above.search(/\S/)
    if (own === -1 || own >= least) continue
    if (BEGUN.test(above)) return `${line.slice(0, indent)}…`
    least = own
  }
  return withoutSecrets(line)
}

/** A problem that repeats nothing of a secret, whichever way it was written. */
export function untold(problem: Problem): Problem {
  const { path, message, found, suggestion } = problem
  return {
    ...problem,
    path: withoutSecrets(path),
    message: withoutSecrets(message),
    ...(found === undefined ? {} : { found: withoutSecrets(found) }),
    ...(suggestion === undefined ? {} : { suggestion: withoutSecrets(suggestion) }),
  }
}
