import { sql } from 'drizzle-orm'
import { rows } from '../../../database/connect.ts'
import type { Say } from '../../locale.ts'
import type { DatabaseContext } from '../../workspace.ts'
import { type Finding, unavailable, wrong } from './finding.ts'

// What the role that Winback comes as may do in its database.

/** What it lacks, and whether it can see enough for the rest to be looked at. */
export async function checkRights(
  context: DatabaseContext,
  say: Say,
): Promise<{ readonly findings: readonly Finding[]; readonly readable: boolean }> {
  const rights = await readRights(context)
  const readable = !rights.made || (rights.looks && rights.reads)
  return { findings: judgeRights(rights, say), readable }
}

/** What the role may do that everything else rests on. */
interface Rights {
  /** Of the role, the database and the schema, as SQL writes them. */
  readonly role: string
  readonly name: string
  readonly schema: string
  /** Whether the schema is there; where it is not, nothing is said of `looks`, `fills`, `reads` and `foreign`. */
  readonly made: boolean
  /** Whether nothing can be written at all. */
  readonly closed: boolean
  readonly creates: boolean
  readonly temporary: boolean
  readonly looks: boolean
  readonly fills: boolean
  /** Whether it may see by which version of Winback the tables were made. */
  readonly reads: boolean
  /** Tables in the schema that belong to somebody else. */
  readonly foreign: number
  /** Whether the queue is on the database: its schema is asked for at each start. */
  readonly queue: boolean
}

async function readRights({ database, loaded }: DatabaseContext): Promise<Rights> {
  const [found] = await rows<Omit<Rights, 'schema' | 'queue'>>(
    database,
    sql`SELECT quote_ident(current_user) AS role, quote_ident(current_database()) AS name, s.oid IS NOT NULL AS made,
          current_setting('transaction_read_only') = 'on' AS closed,
          has_database_privilege(current_database(), 'CREATE') AS creates,
          has_database_privilege(current_database(), 'TEMPORARY') AS temporary,
          coalesce(has_schema_privilege(s.oid, 'USAGE'), false) AS looks,
          coalesce(has_schema_privilege(s.oid, 'CREATE'), false) AS fills,
          coalesce(has_table_privilege((SELECT c.oid FROM pg_class c
            WHERE c.relnamespace = s.oid AND c.relname = '__drizzle_migrations'), 'SELECT'), true) AS reads,
          (SELECT count(*) FROM pg_class c WHERE c.relnamespace = s.oid AND c.relkind IN ('r', 'p')
            AND NOT pg_has_role(c.relowner, 'USAGE')) AS foreign
        FROM (SELECT to_regnamespace(${database.schema})::oid AS oid) s`,
  )
  if (!found) throw new Error('the database says nothing of its rights')
  return { ...found, schema: database.schema, queue: loaded.definition.redis.url === undefined }
}

/** What the role lacks, and the statement that gives it. */
function judgeRights(rights: Rights, say: Say): Finding[] {
  const { role, name, schema, made, creates, temporary, looks, fills, foreign, queue } = rights
  if (rights.closed) {
    return [
      unavailable(
        'database',
        say('nothing can be written there: it is a standby, or read-only', '无法写入：它是备库，或设为只读'),
        say('DATABASE_URL has to name the primary.', 'DATABASE_URL 须指向主库。'),
      ),
    ]
  }
  const lacks = (found: string, statement: string) =>
    wrong('database', found, say(`Have it run: ${statement}`, `请执行：${statement}`))
  return [
    ...(!creates && (!made || queue)
      ? [
          lacks(
            made
              ? say(
                  `the role ${role} may make no schema, which a queue on the database asks for at each start`,
                  `角色 ${role} 不能建立 schema，而队列使用数据库时每次启动都需要`,
                )
              : say(
                  `the role ${role} may not make the schema ${schema}`,
                  `角色 ${role} 不能建立 schema ${schema}`,
                ),
            `GRANT CREATE ON DATABASE ${name} TO ${role};`,
          ),
        ]
      : []),
    ...(temporary
      ? []
      : [
          lacks(
            say(
              `the role ${role} may make no temporary table, which imports need`,
              `角色 ${role} 不能建立临时表，而导入时需要`,
            ),
            `GRANT TEMPORARY ON DATABASE ${name} TO ${role};`,
          ),
        ]),
    ...(made && !(looks && fills)
      ? [
          lacks(
            say(
              `the schema ${schema} is not open to the role ${role}`,
              `schema ${schema} 未对角色 ${role} 开放`,
            ),
            `ALTER SCHEMA ${schema} OWNER TO ${role};`,
          ),
        ]
      : []),
    ...(foreign > 0
      ? [
          lacks(
            say(
              `${foreign} tables of the schema ${schema} belong to another role: those of new months cannot be made, nor could a later version change them`,
              `schema ${schema} 中有 ${foreign} 张表属于其他角色：无法建立新月份的表，以后的版本也无法修改它们`,
            ),
            say(
              `ALTER TABLE … OWNER TO ${role}; for each of them, and for functions and sequences`,
              `对每张表执行 ALTER TABLE … OWNER TO ${role};，函数和序列也一样`,
            ),
          ),
        ]
      : []),
  ]
}
