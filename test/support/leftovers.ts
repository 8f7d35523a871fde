import { afterAll } from 'vitest'
import { dropDatabases } from './database.ts'

// Registered before any of the file's own hooks, so it runs after them.
afterAll(dropDatabases)
