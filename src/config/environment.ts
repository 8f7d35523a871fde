import { homedir } from 'node:os'

/** What Winback takes from the process's environment. */
export interface Environment {
  /** PostgreSQL, where winback.yaml names none. */
  readonly databaseUrl: string | undefined
  /** Redis or Valkey, where winback.yaml names none. */
  readonly redisUrl: string | undefined
  /** True on a build server: what is missing there is a failure, not a hint. */
  readonly ci: boolean
  readonly noColor: boolean
  readonly home: string
  /** Every variable, for the `${NAME}` references of winback.yaml. */
  readonly variables: Readonly<Record<string, string | undefined>>
}

/** Reads the environment of this process. The only place that does: everything else is given an Environment. */
export function readEnvironment(): Environment {
  return environmentFrom(process.env)
}

/** An Environment over the given variables. An empty variable counts as unset. */
export function environmentFrom(variables: Readonly<Record<string, string | undefined>>): Environment {
  return {
    databaseUrl: variables.DATABASE_URL || undefined,
    redisUrl: variables.REDIS_URL || undefined,
    ci: variables.CI !== undefined && variables.CI !== '' && variables.CI !== 'false',
    noColor: Boolean(variables.NO_COLOR),
    home: variables.HOME || homedir(),
    variables,
  }
}
