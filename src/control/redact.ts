/** Objects as they may be shown: without private keys, and without values from the environment or a file of secrets. */
import { isMap, type JsonMap } from '../model/parsed.ts'
import { HIDDEN as hidden, SECRET_NAMES } from '../model/secrets.ts'
import type { ScaleSpec } from '../model/scale.ts'
import type { HealthCheck } from '../model/snapshot.ts'
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
      const { sticky, health, breaker, scale } = version.object
      const isPlain = sticky === null && health === null && breaker === null && scale === null
      if (isPlain) return version.object
      const shown = {
        sticky: redactValue(sticky),
        health: redactProbe(health),
        breaker: redactValue(breaker),
        scale: redactScale(scale),
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

/** The password of a url, or a user without a password (a token). */
const URL_SECRET = /^([a-z][a-z0-9+.-]*:\/\/(?:[^/?#@:]*:(?=[^/?#]*@))?)[^/?#]+@/i

/** In any case: vulcand has `OnTripped`. */
const HOOK_NAMES: ReadonlySet<string> = new Set(['ontripped', 'onstandby', 'webhook'])

/** Whose headers are a login, whatever their names are. */
const WITH_HEADERS: ReadonlySet<string> = new Set(['health', 'prometheus'])

/** Hides what is secret by its name or its form. */
export function redactValue(value: unknown): unknown {
  if (typeof value === 'string') return value.replace(URL_SECRET, `$1${hidden}@`)
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(redactValue)
  return mapMembers(value as JsonMap, redactMember)
}

function redactMember(name: string, item: unknown): unknown {
  const folded = name.toLowerCase()
  if (item !== null && SECRET_NAMES.has(folded)) return hidden
  // A header may have the name of a hook.
  if (HOOK_NAMES.has(folded) && isMap(item)) return redactHook(item)
  if (WITH_HEADERS.has(folded) && isMap(item) && isMap(item['headers'])) {
    return { ...item, headers: hideScalars(item['headers']) }
  }
  return redactValue(item)
}

/**
 * Chats and pagers authenticate callers by the path or by any header. The hook may be parsed, or written in any form and not
 * be valid; vulcand's has its members in `Action`.
 */
function redactHook(hook: JsonMap): JsonMap {
  return mapMembers(hook, (name, item) => {
    switch (name.toLowerCase()) {
      case 'type':
      case 'method':
        return redactValue(item)
      case 'url':
        return typeof item === 'string' ? redactUrl(item) : hideScalars(item)
      case 'action':
        return isMap(item) ? redactHook(item) : hideScalars(item)
      default:
        return hideScalars(item)
    }
  })
}

function redactScale(scale: ScaleSpec | null): unknown {
  if (scale?.actuator.kind !== 'webhook') return redactValue(scale)
  const { kind, url, secret, headers, observeUrl } = scale.actuator
  const actuator = {
    ...{ kind, url: redactUrl(url) },
    secret: secret === null ? null : hidden,
    headers: hideScalars(headers),
    observeUrl: observeUrl === null ? null : redactUrl(observeUrl),
  }
  return { ...(redactValue(scale) as JsonMap), actuator }
}

function redactUrl(text: string): string {
  if (!URL.canParse(text)) return hidden
  const { origin, pathname, search } = new URL(text)
  return `${origin}/${pathname + search === '/' ? '' : hidden}`
}

function mapMembers(map: JsonMap, change: (name: string, item: unknown) => unknown): JsonMap {
  return Object.fromEntries(Object.entries(map).map(([name, item]) => [name, change(name, item)]))
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

/** Every text and number, except empty texts. */
function hideScalars(value: unknown): unknown {
  if (value === '') return ''
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
