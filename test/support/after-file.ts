// What a helper opens for a test file and nobody else ends. Test files that run in the same process share the modules
// they import, so a helper's own `afterAll` would be heard by the first of them alone.

const endings: (() => unknown)[] = []

/** Has something ended or removed after the test file that runs now, behind the file's own hooks; the newest first. */
export function afterFile(end: () => unknown): void {
  endings.push(end)
}

/** Ends everything there is, each whatever became of the others. @throws what the first that failed threw */
export async function endFile(): Promise<void> {
  const failures: unknown[] = []
  for (const end of endings.splice(0).reverse()) {
    try {
      await end()
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 0) throw failures[0]
}
