/**
 * A real ACME server for tests: Let's Encrypt's pebble, with pebble-challtestsrv as its resolver, which answers each A query with
 * 127.0.0.1. It validates http-01 and tls-alpn-01 at the ports that it is started with.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { request as plainRequest } from 'node:http'
import { request } from 'node:https'
import { join } from 'node:path'
import { createAuthority } from './certificates.ts'
import { type Daemon, type Owner, startDaemon } from './daemon.ts'
import { choosePort } from './ports.ts'

export interface PebbleOptions {
  /** Where names serve http-01; by default nowhere. */
  readonly httpPort?: number
  /** Where names serve tls-alpn-01; by default nowhere. */
  readonly tlsPort?: number
  /** Of certificates. Five years by default. */
  readonly validitySeconds?: number
  /** Only customers register: key ids to their base64url secrets. */
  readonly externalAccounts?: Readonly<Record<string, string>>
  /** Of a hundred nonces. None by default. */
  readonly badNonces?: number
  /** Of a hundred names with a valid authorization, how many need no new one. None by default. */
  readonly reusedAuthorizations?: number
  /** Other chains to other roots. */
  readonly alternateRoots?: number
  readonly isStrict?: boolean
}

export interface Pebble extends Daemon {
  readonly directoryUrl: string
  /** PEM of the authority of the server's own certificate. */
  readonly ca: string
  /** PEM of what its certificates lead to; the number of an alternate one. */
  root(number?: number): Promise<string>
  /** Of its resolver, which takes records: `/set-txt`. */
  readonly recordsUrl: string
  /** A TXT record; names end with a dot. */
  setTxt(name: string, value: string): Promise<void>
  clearTxt(name: string): Promise<void>
}

export async function startPebble(owner: Owner, options: PebbleOptions = {}): Promise<Pebble> {
  const { httpPort = 1, tlsPort = 1, externalAccounts = null } = options
  const authority = createAuthority(owner)
  const { certPath, keyPath } = authority.issue('127.0.0.1', 'localhost')
  const ports = await Promise.all([choosePort(), choosePort(), choosePort(), choosePort()])
  const [port, management, dns, records] = ports
  const config = {
    pebble: {
      listenAddress: `127.0.0.1:${port}`,
      managementListenAddress: `127.0.0.1:${management}`,
      certificate: certPath,
      privateKey: keyPath,
      httpPort,
      tlsPort,
      ocspResponderURL: '',
      externalAccountBindingRequired: externalAccounts !== null,
      externalAccountMACKeys: externalAccounts ?? {},
      ...(options.validitySeconds === undefined
        ? {}
        : { certificateValidityPeriod: options.validitySeconds }),
    },
  }

  function fetchText(from: number, path: string): Promise<string> {
    return text(request({ host: '127.0.0.1', port: from, path, ca: authority.cert }), null)
  }

  async function record(path: string, body: object): Promise<void> {
    await text(plainRequest({ host: '127.0.0.1', port: records, path, method: 'POST' }), body)
  }

  await startDaemon(owner, {
    command: 'pebble-challtestsrv',
    debianPackage: 'pebble',
    args: () => [
      ...['-http01', '', '-https01', '', '-tlsalpn01', ''],
      ...['-dns01', `127.0.0.1:${dns}`, '-management', `127.0.0.1:${records}`],
      ...['-defaultIPv4', '127.0.0.1', '-defaultIPv6', ''],
    ],
    isReady: () => answers(record('/clear-txt', { host: 'nothing.' })),
  })
  const daemon = await startDaemon(owner, {
    command: 'pebble',
    debianPackage: 'pebble',
    args(folder) {
      mkdirSync(folder, { recursive: true })
      const path = join(folder, 'pebble.json')
      writeFileSync(path, JSON.stringify(config))
      const strict = `-strict=${options.isStrict ?? true}`
      return ['-config', path, '-dnsserver', `127.0.0.1:${dns}`, strict]
    },
    env: {
      ...process.env,
      PEBBLE_VA_NOSLEEP: '1',
      PEBBLE_WFE_NONCEREJECT: String(options.badNonces ?? 0),
      PEBBLE_AUTHZREUSE: String(options.reusedAuthorizations ?? 0),
      PEBBLE_ALTERNATE_ROOTS: String(options.alternateRoots ?? 0),
    },
    isReady: () => answers(fetchText(port, '/dir')),
  })
  return {
    ...daemon,
    directoryUrl: `https://127.0.0.1:${port}/dir`,
    ca: authority.cert,
    recordsUrl: `http://127.0.0.1:${records}`,
    root: (number = 0) => fetchText(management, `/roots/${number}`),
    setTxt: (host, value) => record('/set-txt', { host, value }),
    clearTxt: (host) => record('/clear-txt', { host }),
  }
}

/** Rejects unless the response is a 200. */
function text(asked: ReturnType<typeof request>, body: object | null): Promise<string> {
  return new Promise((resolve, reject) => {
    asked.on('error', reject)
    asked.on('response', (response) => {
      let received = ''
      response.setEncoding('utf8')
      response.on('error', reject)
      response.on('data', (piece: string) => (received += piece))
      response.on('end', () => {
        if (response.statusCode === 200) resolve(received)
        else reject(new Error(`${asked.path}: ${response.statusCode}: ${received}`))
      })
    })
    asked.end(body === null ? undefined : JSON.stringify(body))
  })
}

async function answers(call: Promise<unknown>): Promise<boolean> {
  try {
    await call
    return true
  } catch {
    return false
  }
}
