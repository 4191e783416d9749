/** What a contender has to serve, the same for all of them: ports, origins, routes and a certificate. */
import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { freePorts } from '../src/process/free-ports.ts'
import { find } from './processes.ts'

export { freePorts }

export interface CertificateFiles {
  readonly cert: string
  readonly key: string
}

export interface Site {
  /** A folder of its own for the contender's files. */
  readonly folder: string
  readonly port: number
  readonly tlsPort: number
  readonly adminPort: number
  /** Null when there is no openssl to make one: then no contender serves TLS. */
  readonly certificate: CertificateFiles | null
  readonly origins: readonly [number, number]
  /** How many host routes there are, all to the same two origins. */
  readonly routes: number
  /** A line for each request, to standard output or a file of the site. */
  readonly accessLog: boolean
  /** HTTP/2 with clients: over TLS by ALPN, and in clear where the contender has it. */
  readonly http2: boolean
  /** The origins speak HTTP/2 in clear, and nothing else. */
  readonly http2Origins: boolean
}

export async function createSite(
  folder: string,
  part: Pick<Site, 'certificate' | 'origins' | 'routes'> &
    Partial<Pick<Site, 'accessLog' | 'http2' | 'http2Origins'>>,
): Promise<Site> {
  mkdirSync(folder, { recursive: true })
  const [port = 0, tlsPort = 0, adminPort = 0] = await freePorts(3)
  const plain = { accessLog: false, http2: false, http2Origins: false }
  return { folder, port, tlsPort, adminPort, ...plain, ...part }
}

/** A self-signed certificate for the hosts of the bench, made anew in every run. */
export function makeCertificate(folder: string): CertificateFiles | null {
  if (find('openssl') === null) return null
  const cert = join(folder, 'bench.crt')
  const key = join(folder, 'bench.key')
  const names = 'subjectAltName=DNS:localhost,DNS:*.bench.test,IP:127.0.0.1'
  const options =
    '-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost'
  const args = ['req', ...options.split(' '), '-addext', names, '-keyout', key, '-out', cert]
  execFileSync('openssl', args, { stdio: 'ignore' })
  return { cert, key }
}
