import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openCliShop, run } from '../command.ts'

// What `users` hands out has to open where the web listens.

test('the link of a user leads to where the web listens, if nothing says where the world finds it', async () => {
  const { here } = await openCliShop()
  const path = join(here.cwd, 'winback.yaml')
  const fresh = await readFile(path, 'utf8')
  const linkWith = async (web: string) => {
    await writeFile(path, `${fresh}\nweb: { ${web} }\n`)
    const { code, stdout } = await run(['users', 'link', 'ada', '--json'], here)
    expect(code).toBe(0)
    return new URL((JSON.parse(stdout) as { link: string }).link).origin
  }
  expect((await run(['users', 'add', 'ada', '--role', 'viewer', '--json'], here)).code).toBe(0)
  expect(await linkWith('port: 7488')).toBe('http://127.0.0.1:7488')
  expect(await linkWith('host: "::1", port: 7488')).toBe('http://[::1]:7488')
  expect(await linkWith('host: 10.0.0.7')).toBe('http://10.0.0.7:7420')
  // Every address of the machine is no address to open.
  expect(await linkWith('host: 0.0.0.0')).toBe('http://127.0.0.1:7420')
  expect(await linkWith('host: "::"')).toBe('http://[::1]:7420')
  expect(await linkWith('host: "::1", url: https://winback.example')).toBe('https://winback.example')
})
