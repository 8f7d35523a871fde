import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/**
 * Small files with much work. On a fresh machine, files start by size: these would run alone when all else is done. What only
 * computes goes first: in a worker that has run a hundred files it takes three times as long.
 */
const LONG = [
  'test/reports/honesty.test.ts',
  'test/config/conditions/conditions.property.test.ts',
  'test/bench.test.ts',
  'test/faults/processes.test.ts',
  'test/database/embedded.test.ts',
  'test/contacts/recomputation.test.ts',
  'test/simulator/living.test.ts',
  'test/model/model.test.ts',
  'test/acceptance/cdnow.test.ts',
  'test/docs/adding-a-channel.test.ts',
]

class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => LONG.findIndex((name) => moduleId.endsWith(name))
    const sorted = await super.sort(files)
    const long = sorted.filter((file) => place(file) >= 0).toSorted((one, other) => place(one) - place(other))
    return [...long, ...sorted.filter((file) => place(file) < 0)]
  }
}

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // A worker reads the modules once for all the test files it is given: a quarter less processor time on test/web and
    // test/config. So a helper keeps nothing from one file to the next: what it opens, it ends by `afterFile`. And a test mocks
    // no module: another file may have read the real one.
    isolate: false,
    // As Node itself imports packages: a name that it does not find is not looked for in the default export, which would hide it
    // from the tests, nor is each use of a package the call of a proxy: 5 % of a worker's processor time.
    deps: { interopDefault: false },
    // Test files wait for servers as much as they compute: one more than there are cores keeps both busy.
    maxWorkers: Math.max(3, availableParallelism()),
    sequence: { sequencer: LongFirst },
    testTimeout: 30_000,
    hookTimeout: 60_000,
    globalSetup: ['test/support/global-setup.ts'],
    setupFiles: ['test/support/leftovers.ts'],
  },
})
