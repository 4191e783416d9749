/** What may be shown of an object: private keys, and what came from the environment or a file of secrets, stay where they are used. */
import type { InForce } from './admit.ts'

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

const hidden = '(hidden)'
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
  if (version.kind === 'host') {
    const { certificate } = version.object
    return { ...version.object, certificate: { cert: certificate.cert, key: hidden } }
  }
  if (version.kind !== 'listener' || version.object.tls === null) return version.object
  const certificates = version.object.tls.certificates.map(({ cert }) => ({ cert, key: hidden }))
  return { ...version.object, tls: { certificates } }
}

function hide(value: unknown, secrets: readonly string[]): unknown {
  if (typeof value === 'string') {
    return secrets.reduce((text, secret) => text.replaceAll(secret, hidden), value)
  }
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((item) => hide(item, secrets))
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, hide(item, secrets)]))
}
