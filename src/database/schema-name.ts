/** What a schema may be called: it stands in settings of connections, unquoted, and PostgreSQL keeps `pg_` for itself. */
export const SCHEMA_NAME = /^(?!pg_)[a-z_][a-z0-9_]{0,50}$/
