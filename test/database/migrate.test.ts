import { sql } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import { connect, rows } from '../../src/database/connect.ts'
import { migrate, pendingMigrations, settingsOf } from '../../src/database/migrate.ts'
import { administer, emptyDatabase, freshDatabase, freshName, urlOf } from '../support/database.ts'

describe('migrate', () => {
  it('sets an empty database up once, however many processes start at the same moment', async () => {
    const database = await emptyDatabase()
    const pending = await pendingMigrations(database)
    expect(pending).toContain('0000_spine')
    const others = [1, 2, 3].map(() => connect(database.url))
    const results = await Promise.all([database, ...others].map(migrate))
    expect(results.map(({ applied }) => applied).filter((applied) => applied.length > 0)).toEqual([pending])
    expect(await pendingMigrations(database)).toEqual([])
    for (const other of others) await other.close()
  })

  it('draws the settings once and keeps them', async () => {
    const database = await emptyDatabase()
    await expect(settingsOf(database)).rejects.toMatchObject({ code: 'database.not_migrated' })
    await migrate(database)
    const first = await settingsOf(database)
    expect(first.workspaceSalt).toMatch(/^[0-9a-f]{64}$/)
    expect(first.addressKey).not.toBe(first.workspaceSalt)
    await migrate(database)
    expect(await settingsOf(database)).toEqual(first)
    const elsewhere = await freshDatabase()
    expect(await settingsOf(elsewhere)).not.toEqual(await settingsOf(database))
  })

  it('keeps a second schema of the same database apart', async () => {
    const database = await freshDatabase()
    const replay = connect(database.url, { schema: 'replay_1' })
    expect((await migrate(replay)).applied).not.toEqual([])
    expect(await settingsOf(replay)).not.toEqual(await settingsOf(database))
    await replay.close()
  })

  it('needs no superuser, only CREATE on its database', async () => {
    const database = await emptyDatabase()
    const role = { name: freshName(), password: 'plain' }
    await administer(`CREATE ROLE ${role.name} LOGIN PASSWORD 'plain'`)
    const name = new URL(database.url).pathname.slice(1)
    const plain = connect(urlOf(name, role))
    try {
      await expect(migrate(plain)).rejects.toMatchObject({
        code: 'database.migration',
        message: expect.stringContaining('permission denied'),
        remedy: expect.stringContaining('GRANT CREATE'),
      })
      await administer(`GRANT CREATE ON DATABASE ${name} TO ${role.name}`)
      expect((await migrate(plain)).applied).not.toEqual([])
      await administer(`REVOKE CREATE ON DATABASE ${name} FROM ${role.name}`)
      expect((await migrate(plain)).applied).toEqual([])
    } finally {
      await plain.close()
      await rows(database, sql`DROP OWNED BY ${sql.identifier(role.name)}`)
      await administer(`DROP ROLE ${role.name}`)
    }
  })

  it('needs no CREATE where its schema is there and its own, and says whose else it is', async () => {
    const database = await emptyDatabase()
    const role = { name: freshName(), password: 'plain' }
    await administer(`CREATE ROLE ${role.name} LOGIN PASSWORD 'plain'`)
    await rows(database, sql.raw(`CREATE SCHEMA winback AUTHORIZATION ${role.name}`))
    const plain = connect(urlOf(new URL(database.url).pathname.slice(1), role))
    try {
      expect((await migrate(plain)).applied).toContain('0000_spine')
      await rows(database, sql`ALTER TABLE report_messages OWNER TO CURRENT_USER`)
      await rows(database, sql`DELETE FROM __drizzle_migrations WHERE created_at >= 1795400042000`)
      await expect(migrate(plain)).rejects.toMatchObject({
        message: 'the migration failed: must be owner of table report_messages',
        remedy: expect.stringContaining('all that is in it have to belong to the role'),
      })
    } finally {
      await plain.close()
      await rows(database, sql`DROP OWNED BY ${sql.identifier(role.name)} CASCADE`)
      await administer(`DROP ROLE ${role.name}`)
    }
  })

  it('says of a standby, where nothing can be written, which server is wanted', async () => {
    const { url } = await freshDatabase()
    await administer(
      `ALTER DATABASE ${new URL(url).pathname.slice(1)} SET default_transaction_read_only = on`,
    )
    const standby = connect(url)
    await expect(migrate(standby)).rejects.toMatchObject({
      remedy: expect.stringContaining('name the primary'),
    })
    await standby.close()
  })

  it('refuses a schema that a later version has migrated', async () => {
    const database = await freshDatabase()
    await rows(
      database,
      sql`INSERT INTO __drizzle_migrations (hash, created_at) VALUES ('later', 9999999999999)`,
    )
    await expect(migrate(database)).rejects.toMatchObject({ code: 'database.newer' })
  })

  it('says how to mend a server that does not answer', async () => {
    const nowhere = connect('postgres://nobody@127.0.0.1:1/none')
    await expect(migrate(nowhere)).rejects.toMatchObject({ code: 'database.unreachable' })
    await nowhere.close()
  })
})
