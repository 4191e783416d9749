/** The names that a certificate is for, and whether they cover a name. */
import { X509Certificate } from 'node:crypto'

/** DNS names and addresses of the subject alternative name, or the common name if there are none; in lower case. */
export function namesOf(certificate: X509Certificate): ReadonlySet<string> {
  const names = new Set<string>()
  for (const part of (certificate.subjectAltName ?? '').split(', ')) {
    const [kind, name] = [part.slice(0, part.indexOf(':')), part.slice(part.indexOf(':') + 1)]
    if (kind === 'DNS' || kind === 'IP Address') names.add(name.toLowerCase())
  }
  const common = /(?:^|\n)CN=(.+)/.exec(certificate.subject)?.[1]
  if (names.size === 0 && common !== undefined) names.add(common.toLowerCase())
  return names
}

/** `cert`: PEM text that was admitted. */
export function namesOfCertificate(cert: string): readonly string[] {
  return [...namesOf(new X509Certificate(cert))]
}

/** The wildcard that covers a name: its first label is replaced. */
export function wildcardOf(name: string): string {
  return `*${name.slice(name.indexOf('.') >>> 0)}`
}

/** The value of a name, else that of its wildcard. */
export function valueForName<T>(values: ReadonlyMap<string, T>, name: string): T | undefined {
  return values.get(name) ?? values.get(wildcardOf(name))
}
