import type { Runtime } from './runtime.ts'

/** What campaigns are called, as their current versions say: by the name that files and addresses know them by. */
export async function campaignTitles(
  { book }: Pick<Runtime, 'book'>,
  names: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const found = await Promise.all(
    [...new Set(names)].map(
      async (name) => [name, (await book.currentText(name))?.definition.title] as const,
    ),
  )
  return new Map(found.map(([name, title]) => [name, title ?? name]))
}
