import { describe, expect, it } from 'vitest'
import { migrate } from '../../src/database/migrate.ts'
import { listSigningKeys, retireSigningKey, rotateSigningKey } from '../../src/database/signing-keys.ts'
import { readSigningKeys } from '../../src/service/links.ts'
import { readToken, signToken } from '../../src/tokens/token.ts'
import { freshDatabase } from '../support/database.ts'

const NOW = new Date('2026-03-01T00:00:00Z')

describe('signing keys', () => {
  it('are drawn once, like the settings', async () => {
    const database = await freshDatabase()
    await migrate(database)
    expect(await listSigningKeys(database)).toMatchObject([{ keyId: 1, retiredAt: null, current: true }])
  })

  it('rotate: the new one signs, the old one verifies until it is retired', async () => {
    const database = await freshDatabase()
    const old = signToken(await readSigningKeys(database), 'preferences', '42')
    expect(await rotateSigningKey(database, NOW)).toBe(2)
    const rotated = await readSigningKeys(database)
    expect(signToken(rotated, 'preferences', '42')).toMatch(/^2\./)
    expect(readToken(rotated, 'preferences', old, NOW)).toEqual({ outcome: 'read', payload: '42' })
    expect(await retireSigningKey(database, 1, NOW)).toBe('retired')
    expect(await retireSigningKey(database, 1, NOW)).toBe('unchanged')
    expect(readToken(await readSigningKeys(database), 'preferences', old, NOW).outcome).toBe('invalid')
  })

  it('keeps the one that signs, and knows those there are', async () => {
    const database = await freshDatabase()
    await expect(retireSigningKey(database, 1, NOW)).rejects.toMatchObject({ code: 'usage.signing_key' })
    await expect(retireSigningKey(database, 9, NOW)).rejects.toMatchObject({ code: 'usage.signing_key' })
  })
})
