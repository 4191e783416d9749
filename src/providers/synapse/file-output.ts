/**
 * `file_output`: the instances of each service in a file of its own, written at once and only if they have changed, so that
 * programs may watch it. Files of services that are gone are removed, if they are lists of instances.
 */
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileErrorReason } from '../../model/file-error.ts'
import { isEqual } from '../../model/equal.ts'
import { isMap } from '../../model/parsed.ts'
import { toOutput, type Instance } from './instance.ts'

export interface FileOutput {
  /** By the name of the service. The last call counts; one that cannot be written is tried with the next call. */
  write(services: ReadonlyMap<string, readonly Instance[]>): void
  /** Why the last one could not be written; null: it was. */
  readonly fault: string | null
  /** Resolves when nothing is left to write. */
  settled(): Promise<void>
}

const SUFFIX = '.json'

export function createFileOutput(directory: string, onFault: () => void): FileOutput {
  const written = new Map<string, readonly Instance[]>()
  let wanted: ReadonlyMap<string, readonly Instance[]> | null = null
  let working: Promise<void> | null = null
  let fault: string | null = null

  async function work(): Promise<void> {
    for (let next = wanted; next !== null; next = wanted) {
      wanted = null
      const before = fault
      fault = await writeAll(next).catch((error: unknown) => fileErrorReason(error))
      if (fault !== before) onFault()
    }
    working = null
  }

  async function writeAll(services: ReadonlyMap<string, readonly Instance[]>): Promise<null> {
    await mkdir(directory, { recursive: true })
    for (const [name, instances] of services) {
      if (!isFileName(name) || isEqual(written.get(name), instances)) continue
      await writeOne(name, instances)
      written.set(name, instances)
    }
    await removeOthers(services)
    return null
  }

  async function writeOne(name: string, instances: readonly Instance[]): Promise<void> {
    const path = join(directory, name + SUFFIX)
    const list = instances.map(toOutput)
    if (isEqual(await readList(path), list)) return
    const temporary = join(directory, `.${name}${SUFFIX}.tmp`)
    await writeFile(temporary, JSON.stringify(list), { mode: 0o644 })
    await rename(temporary, path)
  }

  async function removeOthers(services: ReadonlyMap<string, unknown>): Promise<void> {
    for (const file of await readdir(directory)) {
      const name = file.endsWith(SUFFIX) ? file.slice(0, -SUFFIX.length) : ''
      if (name === '' || services.has(name)) continue
      const path = join(directory, file)
      const list = await readList(path)
      if (list === null || !list.every((one) => isMap(one) && 'host' in one && 'port' in one))
        continue
      written.delete(name)
      await rm(path, { force: true })
    }
  }

  return {
    write(services) {
      wanted = services
      working ??= work()
    },
    get fault() {
      return fault
    },
    settled: () => working ?? Promise.resolve(),
  }
}

/** A name of a service is text of any kind. */
function isFileName(name: string): boolean {
  return /^[^./\0][^/\0]{0,200}$/.test(name)
}

/** Null: there is no such file, or it is no list. */
async function readList(path: string): Promise<readonly unknown[] | null> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'))
    return Array.isArray(value) ? value : null
  } catch {
    return null
  }
}
