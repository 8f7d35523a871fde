import { z } from 'zod'

// What a schema wanted where it got something else, in its own words; and how the value found should have been written.

type Schema = z.core.$ZodType

/** `a percentage such as 10%`: what a text in a form of its own is called. Undefined for every other schema. */
export function expectedAt(schema: Schema | undefined): string | undefined {
  if (!schema) return undefined
  if (
    z
      .safeParse(schema, 0.5)
      .error?.issues.some((each) => each.code === 'invalid_type' && each.expected === 'int')
  )
    return 'a whole number'
  // The schema itself says what it expects of a text that has not its form.
  const issue = z.safeParse(schema, '').error?.issues[0]
  return issue?.code === 'invalid_format' && issue.format === 'regex' && issue.message.startsWith('expected ')
    ? issue.message.slice('expected '.length)
    : undefined
}

/**
 * The value as the schema takes it, in YAML: `10%` for 10, `30d` for 30, `5 CNY` for 5, `1` for "1". Undefined where
 * nothing near is right.
 */
export function rewritten(found: unknown, schema: Schema | undefined, currency = 'CNY'): string | undefined {
  if (!schema) return undefined
  const takes = (value: unknown) => z.safeParse(schema, value).success
  // Where any text will do, a number only lacks its quotes, unless it may be something else altogether.
  if (takes('\u0001')) return typeof found === 'number' && isText(schema) ? `"${found}"` : undefined
  if (typeof found === 'number') return forms(String(found), currency).find(takes)
  if (typeof found !== 'string') return undefined
  // Full-width digits and signs, and spaces that do not belong, are the usual slips.
  const plain = found.normalize('NFKC').trim()
  if (/^-?\d+(\.\d+)?$/.test(plain)) {
    if (takes(Number(plain))) return plain
    return forms(plain, currency).find(takes)
  }
  if ((plain === 'true' || plain === 'false') && takes(plain === 'true')) return plain
  const [, digits = '', unit = ''] = /^(\d+(?:\.\d+)?) *(s|m|h|d|w)[a-z]*$/.exec(plain) ?? []
  const [, count = '', money = ''] = /^(\d+(?:\.\d+)?) *([A-Za-z]{3})$/.exec(plain) ?? []
  return [`${digits}${unit}`, `${count} ${money.toUpperCase()}`, plain.replace(/\s+/g, ''), plain].find(
    (text) => text !== found && takes(text),
  )
}

function isText(schema: Schema): boolean {
  return schema instanceof z.ZodOptional ? isText(schema.unwrap()) : schema instanceof z.ZodString
}

/** A bare number in every form quantities have. */
function forms(number: string, currency: string): string[] {
  const share = Number(number)
  const percent = share > 0 && share < 1 ? Math.round(share * 1e8) / 1e6 : number
  return [
    `${percent}%`,
    `${number}d`,
    `${number} ${currency}`,
    `${number} per day`,
    `${number} episodes`,
    `${number}d..`,
  ]
}
