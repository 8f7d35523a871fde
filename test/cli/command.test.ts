import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { run, startBuilt } from './command.ts'

// What a shell sees of the command where no database is needed: within this process, and as built where only a
// process will do.

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'winback-cli-'))
})
afterAll(() => rm(directory, { recursive: true, force: true }))

let server: Server | undefined
const sockets = new Set<Socket>()
afterEach(async () => {
  for (const socket of sockets) socket.destroy()
  sockets.clear()
  await new Promise<void>((closed) => (server ? server.close(() => closed()) : closed()))
  server = undefined
})

test('alone, it shows the verbs by task and where to start', async () => {
  const { code, stdout, stderr } = await run([], { cwd: directory })
  expect(code).toBe(0)
  expect(stderr).toBe('')
  expect(stdout).toMatch(
    /New here\?[\s\S]*Start here:[\s\S]*Write and check campaigns:[\s\S]*See what happened:/,
  )
})

test('as built, it is the same program; every verb and each of its commands has its own help, with examples', async () => {
  const { code, stdout, stderr } = await startBuilt([], { cwd: directory }).ended
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const commands = stdout.slice(stdout.indexOf('Start here:'))
  const verbs = [...commands.matchAll(/^ {2}([a-z-]+)( [[<].*?)? {2,}/gm)].map((match) => match[1] ?? '')
  expect(verbs).toEqual(expect.arrayContaining(['init', 'validate', 'plan', 'import', 'start', 'doctor']))
  const withExamples = async (...path: string[]) => {
    const { code, stdout } = await run([...path, '--help'], { cwd: directory })
    expect(code, path.join(' ')).toBe(0)
    expect(stdout, path.join(' ')).toMatch(new RegExp(`\nExamples?:\n {2}\\$ .*${path.join(' ')}`))
    return stdout
  }
  let commandsOfVerbs = 0
  for (const verb of verbs.filter((name) => name !== 'help')) {
    const help = await withExamples(verb)
    const [, below = ''] = /^Commands:\n((?: .*\n)+)/m.exec(help) ?? []
    for (const [, name = ''] of below.matchAll(/^ {2}([a-z-]+)/gm)) {
      if (name === 'help') continue
      commandsOfVerbs += 1
      await withExamples(verb, name)
    }
  }
  expect(commandsOfVerbs).toBeGreaterThan(20)
})

test.each([
  [['inti'], 'Did you mean init?'],
  [['validate', '--jsn'], 'Did you mean --json?'],
  [['import', 'contact', 'x.csv'], 'Did you mean contacts?'],
  [['stop'], "missing required argument 'campaign'"],
])('%j is used wrongly: exit 2, and a suggestion', async (args, suggestion) => {
  const { code, stdout, stderr } = await run(args, { cwd: directory })
  expect(code).toBe(2)
  expect(stdout).toBe('')
  expect(stderr).toContain(suggestion)
})

test('with --json, a failure is one document on stdout too', async () => {
  const usage = await run(['inti', '--json'], { cwd: directory })
  expect(usage.code).toBe(2)
  expect(JSON.parse(usage.stdout)).toMatchObject({ error: { code: 'usage' } })
  expect(usage.stderr).toContain('winback --help has the verbs')
  const nested = await run(['calls', 'claim'], { cwd: directory })
  expect(nested).toMatchObject({ code: 2, stderr: expect.stringContaining('winback calls claim --help has') })
  const missing = await run(['validate', '--json'], { cwd: directory })
  expect(missing.code).toBe(1)
  expect(JSON.parse(missing.stdout)).toMatchObject({
    error: { code: 'workspace.missing', remedy: expect.stringContaining('winback init') },
  })
})

test('init writes what validate accepts, and overwrites nothing unless told to', async () => {
  const shop = join(directory, 'shop')
  const made = await run(['init', 'shop', '--name', 'Lantern "Tea"'], { cwd: directory })
  expect(made).toMatchObject({ code: 0, stderr: '' })
  expect(made.stdout).toContain('cd shop')
  // What holds people's rows: the embedded database, and the files of rows that an import or `allow` did not take.
  const ignored = (await readFile(join(shop, '.gitignore'), 'utf8')).split('\n')
  expect(ignored).toEqual(expect.arrayContaining(['.winback/', '*.rejects.*', '*.kept.*']))

  const valid = await run(['validate'], { cwd: shop })
  expect(valid).toMatchObject({ code: 0, stderr: '' })
  expect(valid.stdout).toContain('nothing is wrong')
  const asBuilt = await startBuilt(['validate', '--json'], { cwd: join(shop, 'templates') }).ended
  expect(asBuilt).toMatchObject({ code: 0, stderr: '' })
  expect(JSON.parse(asBuilt.stdout)).toMatchObject({ valid: true, workspace: join(shop, 'winback.yaml') })
  // From a folder below, and by name.
  expect((await run(['validate'], { cwd: join(shop, 'campaigns') })).code).toBe(0)
  expect((await run(['validate', '--workspace', 'shop/winback.yaml'], { cwd: directory })).code).toBe(0)

  const campaign = join(shop, 'campaigns/graded-recall.yaml')
  await writeFile(campaign, '# mine\n')
  const again = await run(['init'], { cwd: shop })
  expect(again.code).toBe(4)
  expect(again.stderr).toContain('winback.yaml')
  expect(await readFile(campaign, 'utf8')).toBe('# mine\n')
  expect((await run(['init', '--force'], { cwd: shop })).code).toBe(0)
  expect(await readFile(campaign, 'utf8')).toContain('campaign: graded-recall')
})

test('validate names every mistake at once, with its place, and exits with 1', async () => {
  const shop = join(directory, 'broken')
  await run(['init', 'broken'], { cwd: directory })
  const file = join(shop, 'campaigns/graded-recall.yaml')
  const text = await readFile(file, 'utf8')
  await writeFile(
    file,
    text
      .replace('holdout: 10% #', 'holdout: 110% #')
      .replace('inactive: 7d..15d', 'inactve: 7d..15d')
      .replace('template: trial-card', 'template: trail-card')
      .replace('window: 30d', 'window: 5d')
      .replace('orders.count >= 4', 'orders.cuont >= 4'),
  )
  const { code, stdout, stderr } = await run(['validate'], { cwd: shop })
  expect(code).toBe(1)
  expect(stderr).toBe('')
  for (const name of ['inactive', 'trial-card', 'orders.count']) expect(stdout).toContain(`\`${name}\``)
  expect(stdout).toMatch(/^\/.*\/campaigns\/graded-recall\.yaml:\d+:\d+ {2}error/m)
  expect(stdout).toMatch(/[5-9] errors/)

  const json = await run(['validate', '--json'], { cwd: shop })
  expect(json.code).toBe(1)
  const document = JSON.parse(json.stdout) as { valid: boolean; problems: { location: { line: number } }[] }
  expect(document.valid).toBe(false)
  expect(document.problems.length).toBeGreaterThanOrEqual(5)
  for (const problem of document.problems) expect(problem.location.line).toBeGreaterThan(0)
})

test('a workspace that is wrong is shown the same way', async () => {
  const shop = join(directory, 'crooked')
  await run(['init', 'crooked'], { cwd: directory })
  const file = join(shop, 'winback.yaml')
  await writeFile(file, (await readFile(file, 'utf8')).replace('currency: CNY', 'curency: CNY'))
  const { code, stdout } = await run(['validate'], { cwd: shop })
  expect(code).toBe(1)
  expect(stdout).toMatch(/winback\.yaml:\d+:\d+ {2}error {2}curency: unknown key; did you mean `currency`\?/)
  // Any other verb says it on stderr.
  const report = await run(['report'], { cwd: shop })
  expect(report).toMatchObject({ code: 1, stdout: '' })
  expect(report.stderr).toContain('did you mean `currency`?')
})

test('schema prints what ships beside the campaigns', async () => {
  const { code, stdout } = await run(['schema', 'campaign'], { cwd: directory })
  expect(code).toBe(0)
  const shipped = new URL('../../campaigns/campaign.schema.json', import.meta.url)
  expect(
    JSON.parse(stdout),
    'run: node dist/cli.js schema campaign > campaigns/campaign.schema.json && npm run format',
  ).toEqual(JSON.parse(await readFile(shipped, 'utf8')))
})

test('a database that does not answer exits with 3 and says what to do', async () => {
  await run(['init', 'alone'], { cwd: directory })
  const cwd = join(directory, 'alone')
  const env = { DATABASE_URL: 'postgres://nobody:secret@127.0.0.1:1/none' }
  const { code, stdout, stderr } = await run(['report'], { cwd, env })
  expect({ code, stdout }).toEqual({ code: 3, stdout: '' })
  expect(stderr).toContain('Check DATABASE_URL')
  expect(stderr).not.toContain('secret')
  const examined = await run(['doctor'], { cwd, env })
  expect(examined.code).toBe(3)
  expect(examined.stdout).toMatch(/wrong +database[\s\S]*→ Check DATABASE_URL/)
  expect(examined.stdout).toMatch(/ok +templates/)
  // What lives in it is not said to be well.
  expect(examined.stdout).not.toMatch(/ok +queue/)
  // A machine that only runs has neither folder, and nothing is wrong with that.
  await Promise.all(['templates', 'campaigns'].map((folder) => rm(join(cwd, folder), { recursive: true })))
  expect((await run(['doctor'], { cwd, env })).stdout).toMatch(
    /not yet +campaigns +no campaigns and no templates here/,
  )
})

test('the second Ctrl-C ends at once what does not heed the first', async () => {
  await run(['init', 'stuck'], { cwd: directory })
  // A server that takes connections and never says a word.
  let connected: () => void = () => {}
  const reached = new Promise<void>((resolve) => {
    connected = resolve
  })
  server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}))
    connected()
  })
  const port = await new Promise<number>((listening) => {
    server?.listen(0, '127.0.0.1', () => {
      const address = server?.address()
      listening(typeof address === 'object' && address !== null ? address.port : 0)
    })
  })
  const child = startBuilt(['report'], {
    cwd: join(directory, 'stuck'),
    env: { DATABASE_URL: `postgres://x:y@127.0.0.1:${port}/z` },
  })
  await reached
  child.kill('SIGINT')
  await child.says('Once more to stop at once')
  child.kill('SIGINT')
  expect((await child.ended).code).toBe(130)
})

test('the help of a verb with verbs of its own lists help among them', async () => {
  const { stdout } = await run(['import', '--help'], { cwd: directory })
  expect(stdout).not.toContain('Start here:')
  expect(stdout).toContain('Help for one of these')
  expect((await run(['import', 'help', 'contacts'], { cwd: directory })).stdout).toContain(
    'Usage: winback import contacts',
  )
})

// In a process of its own: the text of a file ended it, and whoever ran it with it.
test('a file that nests without end is refused as any other', async () => {
  const bottomless = join(directory, 'bottomless')
  await mkdir(bottomless)
  await writeFile(join(bottomless, 'winback.yaml'), `${'- '.repeat(20_000)}a\n`)
  const { code, stdout } = await startBuilt(['validate', '--json'], { cwd: bottomless }).ended
  expect(code).toBe(1)
  expect(stdout).toContain('this stands more than 50 blocks or lists deep')
})
