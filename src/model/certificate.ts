/** Certificates named by path, read and tried when their object is parsed: a missing or wrong file is that object's problem. */
import { X509Certificate, createPrivateKey } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { flaw, quote, type Flaw, type Path } from './parsed.ts'
import type { Certificate } from './snapshot.ts'

/** Gives the text of a PEM file, by its path beside the declaration; throws when it cannot. */
export type ReadPem = (path: string) => string

/** Pushes onto `flaws` and answers null when the pair cannot be served. */
export function readCertificate(
  paths: Certificate,
  at: Path,
  read: ReadPem,
  flaws: Flaw[],
): Certificate | null {
  const cert = readPem(paths.cert, [...at, 'cert'], read, flaws, (pem) => new X509Certificate(pem))
  const key = readPem(paths.key, [...at, 'key'], read, flaws, createPrivateKey)
  if (cert === null || key === null) return null
  if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) {
    flaws.push(flaw(at, `the key ${quote(paths.key)} does not belong to the certificate`))
    return null
  }
  try {
    // OpenSSL has more to say than the two checks above: weak keys, a broken chain.
    createSecureContext({ cert, key })
    return { cert, key }
  } catch (error) {
    flaws.push(flaw(at, `the certificate cannot be used: ${reasonOf(error)}`))
    return null
  }
}

/** The text of a file of authorities, or null with a flaw. */
export function readAuthorities(
  path: string,
  at: Path,
  read: ReadPem,
  flaws: Flaw[],
): string | null {
  return readPem(path, at, read, flaws, (pem) => new X509Certificate(pem))
}

function readPem(
  path: string,
  at: Path,
  read: ReadPem,
  flaws: Flaw[],
  tryOut: (pem: string) => unknown,
): string | null {
  let pem: string
  try {
    pem = read(path)
  } catch (error) {
    flaws.push(flaw(at, `cannot read ${quote(path)}: ${reasonOf(error)}`))
    return null
  }
  try {
    tryOut(pem)
    return pem
  } catch (error) {
    flaws.push(flaw(at, `${quote(path)} is not usable PEM: ${reasonOf(error)}`))
    return null
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'permission denied',
  EISDIR: 'it is a directory',
  ERR_MISSING_PASSPHRASE: 'it is encrypted; give a key without a passphrase',
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const code = 'code' in error ? String(error.code) : ''
  return REASONS[code] ?? error.message.split('\n')[0] ?? ''
}
