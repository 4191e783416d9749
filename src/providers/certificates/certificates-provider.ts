/**
 * Declares a host for each pair of certificate and key in a directory. The pairs are looked for every two seconds, and with a
 * reload. What the files hold is read at admission, which looks at them again by itself: a renewed certificate is no change here.
 */
import { hash } from 'node:crypto'
import { resolve } from 'node:path'
import { createNotifier } from '../notifier.ts'
import type { Declaration, DeclaredObject, Provider } from '../provider.ts'
import { findPairs, type Pair } from './pairs.ts'
import type { CertificatesSource } from './source.ts'

const LOOK_MS = 2_000
/** A directory that is being replaced is missing for a moment. */
const RETRY_MS = 100
/** The host of this name serves clients whose name no certificate covers. */
const DEFAULT = 'default'

export function createCertificatesProvider({
  name,
  directory,
}: Pick<CertificatesSource, 'name' | 'directory'>): Provider {
  const reloads = new Set<() => void>()
  const folder = resolve(directory)

  async function* watch(signal: AbortSignal): AsyncGenerator<Declaration, void, undefined> {
    const notifier = createNotifier()
    let isReloading = false
    const reload = (): void => {
      isReloading = true
      notifier.notify()
    }
    reloads.add(reload)
    signal.addEventListener('abort', notifier.notify)
    let revision = ''
    try {
      for (let listed = 'first'; !signal.aborted; listed = isReloading ? 'asked' : 'changed') {
        isReloading = false
        const changedAt = performance.now()
        const pairs = await look(folder, listed === 'first')
        const found = hash('sha256', JSON.stringify(pairs), 'hex').slice(0, 16)
        if (found !== revision || listed === 'asked') {
          revision = found
          const objects = pairs.map(toHost)
          yield {
            readable: true,
            revision,
            objects,
            changes: null,
            listed,
            problems: [],
            changedAt,
          }
        }
        await notifier.wait(LOOK_MS)
      }
    } finally {
      signal.removeEventListener('abort', notifier.notify)
      reloads.delete(reload)
    }
  }

  return {
    name,
    watch,
    reload() {
      for (const reload of reloads) reload()
    },
  }
}

async function look(folder: string, isFirst: boolean): Promise<readonly Pair[]> {
  try {
    return await findPairs(folder)
  } catch (error) {
    if (isFirst) throw error
    await createNotifier().wait(RETRY_MS)
    return await findPairs(folder)
  }
}

function toHost({ id, cert, key }: Pair): DeclaredObject {
  const value = { cert, key, ...(id === DEFAULT ? { default: true } : {}) }
  return { kind: 'host', id, value, key: cert }
}
