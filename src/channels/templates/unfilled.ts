import type { Problem } from '../../errors.ts'
import type { Origin } from './syntax.ts'

/** `{contact.first_name}`, `${contact.first_name}`, `｛｛contact.first_name｝｝`, `[[contact.first_name]]` and `%contact.first_name%`, which nothing fills. */
const UNFILLED =
  /(?<![{｛])(?:\$?\{|[{｛]?｛)\s*([a-z_]+(?:\.[a-z_]+)+)\s*(?:\}|｝[}｝]?)(?![}｝])|(?:\[\[|%)\s*([a-z_]+(?:\.[a-z_]+)+)\s*(?:\]\]|%)/g

/** Places that look as if they were filled in, and would be sent as they stand: other systems write them so. */
export function findUnfilled(text: string, { file, linesBefore, columnsBefore }: Origin): Problem[] {
  return text.split('\n').flatMap((line, no) =>
    [...line.matchAll(UNFILLED)].map(
      ({ 0: found, 1: braced, 2: path = braced ?? '', index }): Problem => ({
        severity: 'error',
        location: {
          file,
          line: linesBefore + no + 1,
          column: index + 1 + (no === 0 ? columnsBefore : 0),
        },
        path,
        message: `\`${found}\` would be sent as it stands; write {{${path}}}`,
        found,
        expected: `{{${path}}}`,
      }),
    ),
  )
}
