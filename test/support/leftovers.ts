import { afterAll } from 'vitest'
import { endFile } from './after-file.ts'

// Read anew for each test file, and registered before any of the file's own hooks, so it runs after them.
afterAll(endFile)
