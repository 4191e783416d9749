/** What `sluice import vulcand` works with: keys of an etcd, of vulcand's API or of a file, and the checks of admission. */
import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { readApi } from '../cli/import/api.ts'
import { readDump, type DumpedKey } from '../cli/import/dump.ts'
import type { Declared, ImportWorld } from '../cli/import/import.ts'
import type { ImportFrom } from '../cli/import/words.ts'
import { readFileText } from '../cli/read-file.ts'
import { type Client, createClient, SluiceError } from '../client/client.ts'
import { checkSource } from '../control/review/check-source.ts'
import { withFiles } from '../control/sources/read-files.ts'
import { fileErrorReason } from '../model/file-error.ts'
import { quote } from '../model/parsed.ts'
import type { ResolverSettings } from '../model/settings.ts'
import { etcd } from '../providers/etcd/source.ts'
import { createVulcandLayout } from '../providers/layouts/vulcand/layout.ts'
import { createMirror } from '../providers/registry/mirror.ts'
import { resolverSchema } from '../schema/resolver.ts'
import { list } from './check-from.ts'

/** How long the API may take for one response. */
const ASK_WITHIN_MS = 15_000
const MAX_DUMP_BYTES = 256 << 20

export function openImport(
  print: (line: string) => void,
  complain: (line: string) => void,
  columns: number | null,
): ImportWorld {
  return {
    read: (from, sealKey) => read(from, sealKey),
    // Certificates are PEM text: nothing is read beside the file.
    check: (objects) => checkSource('vulcand', objects, resolve('sluice.yaml'), null),
    write(path, text) {
      try {
        // It may hold private keys.
        writeFileSync(path, text, { flag: 'wx', mode: 0o600 })
      } catch (error) {
        throw new Error(fileErrorReason(error), { cause: error })
      }
    },
    print,
    complain,
    columns,
  }
}

function read(from: ImportFrom, sealKey: string | null): Promise<Declared> {
  switch (from.kind) {
    case 'etcd':
      return readEtcd(from, sealKey)
    case 'api':
      return readFromApi(from.url).then((keys) => toDeclared(keys, 'vulcand', sealKey))
    case 'dump':
      return Promise.resolve(
        toDeclared(
          readDump(readFileText(from.path, MAX_DUMP_BYTES), from.prefix),
          from.prefix,
          sealKey,
        ),
      )
    default:
      return from satisfies never
  }
}

async function readEtcd(
  from: Extract<ImportFrom, { kind: 'etcd' }>,
  sealKey: string | null,
): Promise<Declared> {
  const declared = await listEtcd(from, from.prefix, sealKey)
  if (declared.objects.length > 0 || declared.problems.length > 0) return declared
  const other = from.prefix.startsWith('/') ? from.prefix.slice(1) : `/${from.prefix}`
  const { objects } = await listEtcd(from, other, sealKey)
  if (objects.length === 0) return declared
  throw new Error(
    `no key begins with ${quote(`${from.prefix}/`)}, but some begin with ${quote(`${other}/`)}: --prefix ${other}`,
  )
}

function listEtcd(
  { endpoints, username, password, ca, cert, key, verify }: Extract<ImportFrom, { kind: 'etcd' }>,
  prefix: string,
  sealKey: string | null,
): Promise<Declared> {
  const files = { ca, cert, key }
  const named = Object.entries(files).filter(([, path]) => path !== null)
  const tls = { ...Object.fromEntries(named), ...(verify ? {} : { verify }) }
  const written = {
    ...{ endpoints, prefix, layout: 'vulcand' },
    ...(username === null ? {} : { username, password: password ?? undefined }),
    ...(sealKey === null ? {} : { sealKey }),
    ...(Object.keys(tls).length === 0 ? {} : { tls }),
  }
  const place = { filename: resolve('sluice.yaml'), data: '', resolver: RESOLVER }
  const parsed = etcd.parse('etcd', written, place)
  if (!parsed.ok) throw new Error(parsed.problems.map(({ message }) => message).join('; '))
  return list(withFiles(parsed.value, place.filename))
}

const RESOLVER: ResolverSettings = resolverSchema.parse(undefined)

function toDeclared(keys: readonly DumpedKey[], prefix: string, sealKey: string | null): Declared {
  const mirror = createMirror(createVulcandLayout(sealKey))
  mirror.replace(keys.map(({ key, text }) => ({ path: key.slice(prefix.length + 1), key, text })))
  const declared = mirror.declare({ revision: '', listed: 'first', changedAt: 0, problems: [] })
  return { objects: [...declared.objects], problems: declared.problems }
}

async function readFromApi(url: string): Promise<readonly DumpedKey[]> {
  const client = createClient({ baseUrl: url, timeoutMs: ASK_WITHIN_MS })
  try {
    return await readApi((path) => ask(client, path))
  } finally {
    client.close()
  }
}

async function ask(client: Client, path: string): Promise<unknown> {
  try {
    return (await client.request({ method: 'GET', path })).body
  } catch (error) {
    if (!(error instanceof SluiceError) || error.status === null) throw error
    if (error.status === 404) return undefined
    throw new Error(`${path} responds with ${error.status}: ${quote(error.message)}`, {
      cause: error,
    })
  }
}
