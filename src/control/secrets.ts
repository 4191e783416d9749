/** What may be shown of an object: private keys, and what came from the environment or a file of secrets, stay where they are used. */
import { HIDDEN as hidden } from '../document/referred.ts'
import type { HealthCheck, WebHook } from '../model/snapshot.ts'
import type { InForce } from './admission/admit.ts'

/** A version of an object in force, as people and programs are shown it. */
export interface Shown {
  readonly kind: InForce['kind']
  readonly id: string
  readonly source: string
  readonly key: string
  readonly revision: string
  readonly since: number
  readonly object: object
}

/** Hiding every `a` would hide nothing and break everything. */
const shortestSecret = 4

export function toShown(version: InForce): Shown {
  const { kind, id, source, declared, revision, since } = version
  const secrets = (declared.secrets ?? []).filter((text) => text.length >= shortestSecret)
  const open = withoutKeys(version)
  const object = secrets.length === 0 ? open : (hide(open, secrets) as object)
  return { kind, id, source, key: declared.key, revision, since, object }
}

function withoutKeys(version: InForce): object {
  switch (version.kind) {
    case 'host': {
      const { certificate } = version.object
      return { ...version.object, certificate: { cert: certificate.cert, key: hidden } }
    }
    case 'listener': {
      if (version.object.tls === null) return version.object
      const certificates = version.object.tls.certificates.map(({ cert }) => ({
        cert,
        key: hidden,
      }))
      return { ...version.object, tls: { ...version.object.tls, certificates } }
    }
    case 'backend': {
      const { sticky, health, breaker } = version.object
      if (sticky === null && health === null && breaker === null) return version.object
      const shown = { sticky: veil(sticky), health: veilProbe(health), breaker: veil(breaker) }
      return { ...version.object, ...shown }
    }
    case 'frontend': {
      const { middlewares } = version.object
      if (middlewares.length === 0) return version.object
      return { ...version.object, middlewares: veil(middlewares) }
    }
    case 'middleware':
      return { ...version.object, spec: veil(version.object.spec) }
    case 'server':
      return version.object
    default:
      return version satisfies never
  }
}

/** What stands under these names is a secret wherever it stands: of a cookie, a Redis, a header field that is set. */
const secretNames: ReadonlySet<string> = new Set([
  ...['secret', 'password', 'authorization', 'proxy-authorization', 'x-api-key'],
])
/** The password of a url, and a user that is all that stands before the @ (a token). */
const urlSecret = /^([a-z][a-z0-9+.-]*:\/\/(?:[^/?#@:]*:(?=[^/?#]*@))?)[^/?#]+@/i

const hookNames: ReadonlySet<string> = new Set(['onTripped', 'onStandby'])

/** The same, without what is a secret by its name or its form. */
function veil(value: unknown): unknown {
  if (typeof value === 'string') return value.replace(urlSecret, `$1${hidden}@`)
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(veil)
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, veilMember(name, item)]),
  )
}

function veilMember(name: string, item: unknown): unknown {
  if (item !== null && secretNames.has(name.toLowerCase())) return hidden
  return hookNames.has(name) && isHook(item) ? veilHook(item) : veil(item)
}

/** A header set by hand may have a hook's name. */
function isHook(value: unknown): value is WebHook {
  return typeof value === 'object' && value !== null && 'url' in value
}

/** Chats and pagers know their callers by the path, or by any of the fields. */
function veilHook({ url, method, headers, body }: WebHook): WebHook {
  const { origin, pathname, search } = new URL(url)
  const rest = pathname + search === '/' ? '' : hidden
  const fields = mapValues(headers, (values) => values.map(() => hidden))
  return { url: `${origin}/${rest}`, method, headers: fields, body: body === '' ? '' : hidden }
}

function veilProbe(health: HealthCheck | null): HealthCheck | null {
  if (health === null || health.http === null) return health
  const headers = mapValues(health.http.headers, () => hidden)
  return { ...health, http: { ...health.http, headers } }
}

function mapValues<T>(
  map: Readonly<Record<string, T>>,
  change: (value: T) => T,
): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(map).map(([name, value]) => [name, change(value)]))
}

function hide(value: unknown, secrets: readonly string[]): unknown {
  if (typeof value === 'string') {
    return secrets.reduce((text, secret) => text.replaceAll(secret, hidden), value)
  }
  if (typeof value === 'number') return secrets.includes(String(value)) ? hidden : value
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((item) => hide(item, secrets))
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, hide(item, secrets)]))
}
