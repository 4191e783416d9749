/**
 * Layouts of service discovery, read-only: each key below the prefix is one member of a service, written by itself or an agent
 * beside it. The segments before the last name the service, which becomes the backend; the member becomes one of its servers:
 *
 *   web/i-7_0000000003             server   web/i-7_0000000003
 *   www/prod/web/member_0000000012 server   www.prod.web/member_0000000012
 *
 * Frontends are declared elsewhere, and name the backend.
 */
import { hash } from 'node:crypto'
import { bracketHost, parseHost } from '../../../model/address.ts'
import { joinParts, refuseId, refuseObjectName } from '../../../model/names.ts'
import { quote } from '../../../model/parsed.ts'
import type { KeyEntry, Layout, LayoutName } from '../../layout.ts'
import type { DeclaredObject } from '../../provider.ts'
import { TranslationError } from '../translation.ts'

export interface Member {
  readonly host: unknown
  readonly port: unknown
  /** Null: that of the source. */
  readonly scheme?: 'http' | 'https' | 'h2c' | null
  /** Of a server, in the form of the file. */
  readonly options?: Readonly<Record<string, unknown>>
  readonly remarks?: readonly string[]
}

export interface MemberFormat {
  readonly name: LayoutName
  /** A last segment of the service that is only a folder. */
  readonly folder?: string
  /** The id of a member by its key's last segment; null: it is something else. */
  idOf(segment: string): string | null
  /** Null: it takes no traffic. Throws TranslationError. */
  read(text: string, segment: string): Member | null
}

export function createMemberLayout(format: MemberFormat, scheme: 'http' | 'https' | 'h2c'): Layout {
  return {
    name: format.name,
    isFlat: true,
    groupOf: (path) => nameOf(format, path),
    /** Several keys may have one name, as a.b/c and a/b/c: the first counts. */
    read(entries) {
      const sorted = entries.toSorted((one, other) => (one.path < other.path ? -1 : 1))
      const [object, ...others] = sorted.flatMap((entry) => readEntry(format, scheme, entry))
      if (object === undefined) return []
      const remarks = others.map(
        ({ key }) => `has the same name as ${quote(key)}, which is not used`,
      )
      if (remarks.length === 0) return [object]
      return [{ ...object, remarks: [...(object.remarks ?? []), ...remarks] }]
    },
    pathOf: () => null,
  }
}

/** `backend/server`; null: it is no member. */
function nameOf({ folder, idOf }: MemberFormat, path: string): string | null {
  const segments = path.split('/')
  const last = segments.pop() ?? ''
  if (segments.length > 1 && segments.at(-1) === folder) segments.pop()
  const id = segments.length === 0 ? null : idOf(last)
  return id === null ? null : joinParts(segments.join('.'), id)
}

function readEntry(
  format: MemberFormat,
  scheme: 'http' | 'https' | 'h2c',
  { path, key, text, fault, revision }: KeyEntry,
): DeclaredObject[] {
  const id = nameOf(format, path) ?? ''
  const about = {
    kind: 'server',
    id,
    key,
    ...(revision === undefined ? {} : { revision }),
  } as const
  const refused = refuseObjectName(about) ?? (text === null ? (fault ?? 'cannot be read') : null)
  if (refused !== null || text === null)
    return [{ ...about, value: undefined, fault: refused ?? '' }]
  try {
    const member = format.read(text, path.slice(path.lastIndexOf('/') + 1))
    if (member === null) return []
    const { options = {}, remarks = [] } = member
    const value = { url: urlOf(member, scheme), ...options }
    return [{ ...about, value, ...(remarks.length === 0 ? {} : { remarks }) }]
  } catch (error) {
    if (!(error instanceof TranslationError)) throw error
    return [{ ...about, value: undefined, fault: error.message }]
  }
}

function urlOf({ host, port, scheme }: Member, normalScheme: string): string {
  if (typeof host !== 'string' || host === '') {
    throw new TranslationError(`its host must be text, not ${quote(host)}`)
  }
  const parsed = parseHost(host)
  if (!parsed.ok) throw new TranslationError(`its host ${parsed.reason}`)
  // Some writers have it as text.
  const number = typeof port === 'string' && /^\d{1,5}$/.test(port) ? Number(port) : port
  if (typeof number !== 'number' || !Number.isInteger(number) || number < 1 || number > 65_535) {
    throw new TranslationError(`its port must be from 1 to 65535, not ${quote(port)}`)
  }
  return `${scheme ?? normalScheme}://${bracketHost(parsed.value)}:${number}`
}

/** A name that cannot be an id is replaced by its digest. */
export function toMemberId(name: string): string {
  return refuseId(name) === null ? name : `member-${hash('sha1', name, 'hex').slice(0, 16)}`
}
