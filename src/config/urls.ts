import { z } from 'zod'

// Where servers are. A url of another system passes for a url, and fails only once it is used, in words about networks.

/** Of a PostgreSQL: what node-postgres takes for what it says, a socket's path included. */
export const postgresUrl = z
  .string()
  .refine(
    (url) => /^(postgres(ql)?:\/\/|socket:|\/)/i.test(url),
    'expected a PostgreSQL url such as postgres://winback@db.example:5432/winback',
  )

/** Of a Redis or Valkey, of a Cluster's nodes or of Sentinels (see redisConnection of touchpoints/engine.ts). */
export const redisUrl = z
  .string()
  .refine(
    (url) => /^rediss?(\+sentinel)?:\/\//i.test(url),
    'expected a Redis url such as redis://cache.example:6379',
  )
