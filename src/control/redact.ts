/** Objects as they may be shown: without private keys, and without values from the environment or a file of secrets. */
import { HIDDEN as hidden } from '../document/referred.ts'
import type { HealthCheck, WebHook } from '../model/snapshot.ts'
import type { InForce } from './admission/admit.ts'

/** A version of an object in force, as the API shows it. */
export interface RedactedObject {
  readonly kind: InForce['kind']
  readonly id: string
  readonly source: string
  readonly key: string
  readonly revision: string
  readonly since: number
  readonly object: object
}

/** Shorter secrets are not hidden: every `a` would be hidden with them. */
const MIN_SECRET_LENGTH = 4

export function redact(version: InForce): RedactedObject {
  const { kind, id, source, declared, revision, since } = version
  const secrets = (declared.secrets ?? []).filter((text) => text.length >= MIN_SECRET_LENGTH)
  const open = withoutKeys(version)
  const object =
    declared.isSealed === true
      ? (hideScalars(open) as object)
      : secrets.length === 0
        ? open
        : (hideSecrets(open, secrets) as object)
  return { kind, id, source, key: declared.key, revision, since, object }
}

function withoutKeys(version: InForce): object {
  switch (version.kind) {
    case 'host': {
      const { certificate } = version.object
      if (certificate === null) return version.object
      return { ...version.object, certificate: { cert: certificate.cert, key: hidden } }
    }
    case 'listener': {
      if (version.object.tls === null) return version.object
      const challenges = version.object.challenges.map((one) =>
        one.kind === 'http-01' ? one : { ...one, certificate: { ...one.certificate, key: hidden } },
      )
      const certificates = version.object.tls.certificates.map(({ cert }) => ({
        cert,
        key: hidden,
      }))
      return { ...version.object, tls: { ...version.object.tls, certificates }, challenges }
    }
    case 'backend': {
      const { sticky, health, breaker } = version.object
      if (sticky === null && health === null && breaker === null) return version.object
      const shown = {
        sticky: redactValue(sticky),
        health: redactProbe(health),
        breaker: redactValue(breaker),
      }
      return { ...version.object, ...shown }
    }
    case 'frontend': {
      const { middlewares } = version.object
      if (middlewares.length === 0) return version.object
      return { ...version.object, middlewares: redactValue(middlewares) }
    }
    case 'middleware':
      return { ...version.object, spec: redactValue(version.object.spec) }
    case 'server':
      return version.object
    default:
      return version satisfies never
  }
}

/** Members with these names are secret at any depth: of a cookie, of Redis, of a header that is set. */
const SECRET_NAMES: ReadonlySet<string> = new Set([
  ...['secret', 'password', 'authorization', 'proxy-authorization', 'x-api-key'],
])
/** The password of a url, or a user without a password (a token). */
const URL_SECRET = /^([a-z][a-z0-9+.-]*:\/\/(?:[^/?#@:]*:(?=[^/?#]*@))?)[^/?#]+@/i

const HOOK_NAMES: ReadonlySet<string> = new Set(['onTripped', 'onStandby'])

/** Hides what is secret by its name or its form. */
export function redactValue(value: unknown): unknown {
  if (typeof value === 'string') return value.replace(URL_SECRET, `$1${hidden}@`)
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(redactValue)
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, redactMember(name, item)]),
  )
}

function redactMember(name: string, item: unknown): unknown {
  if (item !== null && SECRET_NAMES.has(name.toLowerCase())) return hidden
  return HOOK_NAMES.has(name) && isHook(item) ? redactHook(item) : redactValue(item)
}

/** A header may have the name of a hook. */
function isHook(value: unknown): value is WebHook {
  return typeof value === 'object' && value !== null && 'url' in value
}

/** Chats and pagers authenticate callers by the path or by any header. */
function redactHook({ url, method, headers, body }: WebHook): WebHook {
  const { origin, pathname, search } = new URL(url)
  const rest = pathname + search === '/' ? '' : hidden
  const fields = mapValues(headers, (values) => values.map(() => hidden))
  return { url: `${origin}/${rest}`, method, headers: fields, body: body === '' ? '' : hidden }
}

function redactProbe(health: HealthCheck | null): HealthCheck | null {
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

/** Of an object that was sealed as a whole. */
function hideScalars(value: unknown): unknown {
  if (typeof value === 'string' || typeof value === 'number') return hidden
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(hideScalars)
  return mapValues(value as Record<string, unknown>, hideScalars)
}

function hideSecrets(value: unknown, secrets: readonly string[]): unknown {
  if (typeof value === 'string') {
    return secrets.reduce((text, secret) => text.replaceAll(secret, hidden), value)
  }
  if (typeof value === 'number') return secrets.includes(String(value)) ? hidden : value
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((item) => hideSecrets(item, secrets))
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, hideSecrets(item, secrets)]),
  )
}
