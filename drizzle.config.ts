import { defineConfig } from 'drizzle-kit'

// `npm run migration -- --name what_changes` writes the next migration from src/database/schema/.
// Partitioning, CHECKs on edges and triggers are added to the generated file by hand.
export default defineConfig({
  dialect: 'postgresql',
  schema: './src/database/schema/*.ts',
  out: './migrations',
})
