import type { Visit } from './visit.ts'

/** What campaigns are called, as their current versions say: by the name that files and addresses know them by. */
export async function campaignTitles(
  { runtime: { book } }: Pick<Visit, 'runtime'>,
  names: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const found = await Promise.all(
    [...new Set(names)].map(
      async (name) => [name, (await book.currentText(name))?.definition.title] as const,
    ),
  )
  return new Map(found.map(([name, title]) => [name, title ?? name]))
}
