import { randomUUID } from 'node:crypto'
import { linkSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { codeOf, WinbackError } from '../errors.ts'

/** Gives the lock back. */
export type Release = () => void

interface Holder {
  pid: number
  /** When that process started, so that a reused pid is not taken for it; empty where the system does not say. */
  started: string
  id: string
}

/**
 * Takes the lock that the file at `path` stands for, waiting for a living holder and taking over from a dead one.
 * Held for moments only: what it guards must stand a second holder without harm, for a takeover by two processes
 * at the same instant can let both in.
 * @param patience milliseconds to wait for a living holder
 * @throws WinbackError `lock.held`
 */
export async function takeLock(path: string, patience: number): Promise<Release> {
  const holder: Holder = { pid: process.pid, started: startOf(process.pid), id: randomUUID() }
  const deadline = performance.now() + patience
  for (;;) {
    if (createWhole(path, JSON.stringify(holder))) {
      return () => {
        if (read(path)?.id === holder.id) unlinkSync(path)
      }
    }
    const other = read(path)
    if (other && isLiving(other)) {
      if (performance.now() > deadline) {
        throw new WinbackError('lock.held', `process ${other.pid} has held ${path} for too long`, {
          remedy: `See what process ${other.pid} is doing; end it if it is stuck.`,
          facts: { pid: other.pid },
        })
      }
      await delay(50)
    } else if (other) {
      discard(path, other)
    }
  }
}

/**
 * Makes a file that its owner alone may read, where there is none. Written aside and linked, so that it never exists half written.
 * @returns false where there is one
 */
export function createWhole(path: string, text: string): boolean {
  const aside = `${path}.${randomUUID()}`
  try {
    writeFileSync(aside, text, { mode: 0o600 })
    linkSync(aside, path)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  } finally {
    // On a full disk it is there, and empty.
    rmSync(aside, { force: true })
  }
}

/** Moved away before it is deleted: what was moved may have turned out to be the next holder's. */
function discard(path: string, dead: Holder): void {
  const aside = `${path}.${randomUUID()}`
  try {
    renameSync(path, aside)
    if (read(aside)?.id !== dead.id) linkSync(aside, path)
    unlinkSync(aside)
  } catch (error) {
    const code = codeOf(error)
    if (code !== 'ENOENT' && code !== 'EEXIST') throw error
  }
}

function read(path: string): Holder | undefined {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
  try {
    const { pid, started, id } = JSON.parse(text) as Partial<Holder>
    return { pid: Number(pid), started: String(started ?? ''), id: String(id) }
  } catch {
    return { pid: 0, started: '', id: 'undefined' }
  }
}

/** Whether the process that had this id and `startOf` then has not ended: another with its id is not taken for it. */
export function isLiving({ pid, started }: Pick<Holder, 'pid' | 'started'>): boolean {
  const stat = statOf(pid)
  // One that has ended and was not yet reaped holds nothing any more.
  return isAlive(pid) && stat?.state !== 'Z' && (stat?.started ?? '') === started
}

/** Whether a process of that id exists, whoever owns it. */
export function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return codeOf(error) === 'EPERM'
  }
}

/** When a process started, in ticks since the machine did; empty where the system does not say. */
export function startOf(pid: number): string {
  return statOf(pid)?.started ?? ''
}

function statOf(pid: number): { state: string; started: string } | undefined {
  try {
    // The 3rd and the 22nd field; the second, the name in parentheses, may hold spaces.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? []
    return { state: fields[0] ?? '', started: fields[19] ?? '' }
  } catch {
    return undefined
  }
}
