import { type CST, Parser } from 'yaml'

// How deep a text of YAML nests, told before it is made into values: that goes as deep into itself as the text does, and where
// the stack ends in the midst of a pattern, V8 ends the whole process, which nothing can catch.

/** Blocks and lists within one another; nothing that is read here has a fifth of them. */
export const DEEPEST = 50

/** The offset of the first block or list that stands within more than {@link DEEPEST}; undefined where none does. Pure. */
export function tooDeepAt(text: string): number | undefined {
  for (const root of new Parser().parse(text)) {
    const waiting: { readonly token: CST.Token; readonly above: number }[] = [{ token: root, above: 0 }]
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const { token, above } = next
      const collection = 'items' in token
      if (collection && above >= DEEPEST) return token.offset
      // The last is looked at first: so they are put down from the end.
      const inner = collection ? above + 1 : above
      for (const child of childrenOf(token).toReversed()) waiting.push({ token: child, above: inner })
    }
  }
  return undefined
}

function childrenOf(token: CST.Token): CST.Token[] {
  if (token.type === 'document') return token.value ? [token.value] : []
  if (!('items' in token)) return []
  return token.items.flatMap(({ key, value }) => [key, value].filter((each) => each != null))
}
