/** Certificates for tests, made by openssl in a folder of their own that goes with their owner. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Owner } from './daemon.ts'

export interface IssuedCertificate {
  readonly certPath: string
  readonly keyPath: string
  readonly cert: string
  readonly key: string
}

export interface CertificateAuthority {
  readonly folder: string
  readonly certPath: string
  readonly cert: string
  /** A certificate for these names and addresses; the first is its common name. */
  issue(...names: readonly string[]): IssuedCertificate
  issueWith(form: LeafForm, ...names: readonly string[]): IssuedCertificate
}

export interface LeafForm {
  /** P-256 without it. */
  readonly key?: keyof typeof NEW_KEYS
  /** Until it ends, 30 without it; it may have ended. */
  readonly days?: number
}

export function createAuthority(owner: Owner): CertificateAuthority {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-test-ca-'))
  owner.after(() => rmSync(folder, { recursive: true, force: true }))
  const certPath = join(folder, 'ca.pem')
  const keyPath = join(folder, 'ca.key')
  openssl(
    'req',
    '-x509',
    ...newKey(keyPath),
    '-out',
    certPath,
    '-days',
    '30',
    '-subj',
    '/CN=Test CA',
  )
  let issued = 0

  return {
    folder,
    certPath,
    cert: readFileSync(certPath, 'utf8'),
    issue(...names) {
      return this.issueWith({}, ...names)
    },
    issueWith({ key = 'p256', days = 30 }, ...names) {
      const base = join(folder, `leaf-${++issued}`)
      const paths = { certPath: `${base}.pem`, keyPath: `${base}.key` }
      const alternatives = names.map((name) => `${isIP(name) === 0 ? 'DNS' : 'IP'}:${name}`)
      writeFileSync(`${base}.ext`, `subjectAltName=${alternatives.join(',')}\n`)
      openssl(
        'req',
        ...newKey(paths.keyPath, key),
        '-out',
        `${base}.csr`,
        '-subj',
        `/CN=${names[0]}`,
      )
      openssl(
        ...['x509', '-req', '-in', `${base}.csr`, '-CA', certPath, '-CAkey', keyPath],
        ...['-days', `${days}`],
        ...['-CAcreateserial', '-extfile', `${base}.ext`, '-out', paths.certPath],
      )
      return {
        ...paths,
        cert: readFileSync(paths.certPath, 'utf8'),
        key: readFileSync(paths.keyPath, 'utf8'),
      }
    },
  }
}

function newKey(path: string, key: keyof typeof NEW_KEYS = 'p256'): string[] {
  return ['-newkey', ...NEW_KEYS[key], '-nodes', '-keyout', path]
}

const NEW_KEYS = {
  p256: ['ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'],
  p384: ['ec', '-pkeyopt', 'ec_paramgen_curve:secp384r1'],
  ed25519: ['ed25519'],
  rsa: ['rsa:2048'],
  secp256k1: ['ec', '-pkeyopt', 'ec_paramgen_curve:secp256k1'],
} as const

function openssl(...args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: 'pipe' })
}
