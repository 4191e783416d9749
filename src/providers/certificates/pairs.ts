/** The pairs of certificate and key in a directory, and in the folders in it. Hidden names are ignored: `..data` of a mounted secret. */
import { readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'

export interface Pair {
  /** Of the host. */
  readonly id: string
  /** Paths. The key may be missing: then the host is set aside, and says so. */
  readonly cert: string
  readonly key: string
}

/** Of a folder with one certificate. */
const SINGLE = [
  ['fullchain.pem', 'privkey.pem'],
  ['tls.crt', 'tls.key'],
] as const
const CERTIFICATE = /^(?!.*\.issuer\.)(.+)\.(?:crt|pem|cer)$/

/** Throws if the directory cannot be read. */
export async function findPairs(directory: string): Promise<readonly Pair[]> {
  const entries = await readdir(directory, { withFileTypes: true })
  const shown = entries.filter(({ name }) => !name.startsWith('.'))
  const pairs: Pair[] = []
  for (const entry of shown) {
    if (entry.isFile()) continue
    const folder = join(directory, entry.name)
    const names = entry.isDirectory() || entry.isSymbolicLink() ? await namesIn(folder) : []
    const single = pairOf(folder, names)
    if (single !== null) pairs.push(single)
  }
  const names = shown.filter((entry) => !entry.isDirectory()).map(({ name }) => name)
  const single = pairOf(directory, names)
  if (single !== null) pairs.push(single)
  else pairs.push(...namedPairs(directory, names))
  return pairs.sort((a, b) => (a.id < b.id ? -1 : 1))
}

/** Of a link to a file there are none. */
async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder)
  } catch {
    return []
  }
}

function pairOf(folder: string, names: readonly string[]): Pair | null {
  const found = SINGLE.find(([cert]) => names.includes(cert))
  if (found === undefined) return null
  const [cert, key] = found
  return { id: basename(folder), cert: join(folder, cert), key: join(folder, key) }
}

function namedPairs(folder: string, names: readonly string[]): readonly Pair[] {
  const pairs = new Map<string, Pair>()
  for (const name of [...names].sort()) {
    const id = CERTIFICATE.exec(name)?.[1]
    if (id === undefined || id.endsWith('.key') || pairs.has(id)) continue
    // lego calls wildcards `_.example.com`.
    const host = id.startsWith('_.') ? `*${id.slice(1)}` : id
    const key = names.includes(`${id}.key`) ? `${id}.key` : `${id}.key.pem`
    pairs.set(id, {
      id: host,
      cert: join(folder, name),
      key: join(folder, names.includes(key) ? key : `${id}.key`),
    })
  }
  return [...pairs.values()]
}
