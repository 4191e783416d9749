// openssl s_client as a client that shares no code with Sluice: versions, suites, names, protocols and tickets, with two threads.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { createAuthority } from '../support/certificates.ts'
import { choosePort } from '../support/ports.ts'
import { startProgram } from '../support/program.ts'

interface Said {
  readonly version: string
  readonly cipher: string
  readonly subject: string
  readonly alpn: string
  readonly isReused: boolean
  readonly status: string
  /** Of the alert that ended it. */
  readonly alert: string
}

type Ask = (port: number, ...options: readonly string[]) => Promise<Said>

async function startEdge(t: TestContext): Promise<{
  readonly ask: Ask
  readonly ports: { readonly modern: number; readonly usual: number; readonly strict: number }
  readonly folder: string
}> {
  const authority = createAuthority(t)
  const certificates = ['a.test', 'b.test'].map((name) => {
    const { certPath, keyPath } = authority.issueWith({ key: 'rsa' }, name)
    return { cert: certPath, key: keyPath }
  })
  const [modern, usual, strict] = [await choosePort(), await choosePort(), await choosePort()]
  const listener = (port: number, more: object, tls: object = {}): object => ({
    ...{ address: `127.0.0.1:${port}`, protocol: 'https', ...more },
    tls: { certificates, ...tls },
  })
  await startProgram(t, {
    workers: 2,
    listeners: {
      modern: listener(modern, {}, { profile: 'modern' }),
      usual: listener(usual, {}),
      strict: listener(strict, { strictSni: true }),
    },
    frontends: { all: { route: 'PathPrefix("/")', respond: { status: 204 } } },
  })
  const ask: Ask = async (port, ...options) => {
    const trust = ['-CAfile', authority.certPath, '-verify_return_error']
    const to = ['s_client', '-connect', `127.0.0.1:${port}`, '-ign_eof', ...trust, ...options]
    const child = spawn('openssl', to, { stdio: ['pipe', 'pipe', 'pipe'] })
    t.after(() => child.kill())
    const parts: string[] = []
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (part: Buffer) => parts.push(part.toString()))
    child.stdin.on('error', () => {})
    child.stdin.write('GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n')
    await new Promise((resolve) => child.once('close', resolve))
    return read(parts.join(''))
  }
  return { ask, ports: { modern, usual, strict }, folder: authority.folder }
}

function read(text: string): Said {
  const find = (pattern: RegExp): string => pattern.exec(text)?.[1]?.trim() ?? ''
  return {
    version: find(/^(?:New|Reused), (TLSv[\d.]+)/m),
    cipher: find(/, Cipher is (\S+)/),
    subject: find(/^subject=(?:CN ?= ?)?(.*)$/m),
    alpn: find(/^ALPN protocol: (.*)$/m),
    isReused: /^Reused, /m.test(text),
    status: find(/^HTTP\/1\.1 (\d+)/m),
    alert: find(/(?:SSL )?alert number (\d+)/),
  }
}

test('openssl finds the versions and suites of the profiles', async (t) => {
  const { ask, ports } = await startEdge(t)
  const named = ['-servername', 'a.test'] as const

  const modern = await ask(ports.modern, ...named)
  assert.deepEqual([modern.version, modern.status], ['TLSv1.3', '204'])
  assert.equal((await ask(ports.modern, ...named, '-tls1_2')).alert, '70')
  const old = await ask(ports.usual, ...named, '-tls1_2')
  assert.deepEqual([old.status, old.cipher], ['204', 'ECDHE-RSA-AES128-GCM-SHA256'])
  assert.equal((await ask(ports.usual, ...named, '-tls1_3')).cipher, 'TLS_AES_128_GCM_SHA256')
  for (const cipher of ['ECDHE-RSA-AES128-SHA', 'AES128-GCM-SHA256', 'DHE-RSA-AES128-GCM-SHA256']) {
    const refused = await ask(ports.usual, ...named, '-tls1_2', '-cipher', cipher)
    assert.deepEqual([refused.alert, refused.status], ['40', ''], cipher)
  }
})

test('openssl gets the certificate of the name that it asks for, the first one, or an alert', async (t) => {
  const { ask, ports } = await startEdge(t)

  assert.equal((await ask(ports.usual, '-servername', 'b.test')).subject, 'b.test')
  assert.equal((await ask(ports.usual, '-servername', 'c.test')).subject, 'a.test')
  assert.equal((await ask(ports.usual, '-noservername')).subject, 'a.test')
  assert.equal((await ask(ports.strict, '-servername', 'b.test')).subject, 'b.test')
  assert.equal((await ask(ports.strict, '-servername', 'c.test')).alert, '112')
})

test('openssl agrees on a protocol, and gets an alert if there is none', async (t) => {
  const { ask, ports } = await startEdge(t)
  const offer = (protocols: string): Promise<Said> =>
    ask(ports.usual, '-servername', 'a.test', '-alpn', protocols)

  assert.equal((await offer('http/1.1')).alpn, 'http/1.1')
  assert.equal((await offer('http/1.1,h2')).alpn, 'h2')
  assert.equal((await offer('spdy/3')).alert, '120')
})

test('openssl resumes its session at either thread', async (t) => {
  const { ask, ports, folder } = await startEdge(t)

  for (const version of ['-tls1_2', '-tls1_3']) {
    const file = join(folder, `session${version}`)
    const first = await ask(ports.usual, '-servername', 'a.test', version, '-sess_out', file)
    assert.deepEqual([first.status, first.isReused], ['204', false])
    for (let turn = 0; turn < 8; turn++) {
      const next = await ask(ports.usual, '-servername', 'a.test', version, '-sess_in', file)
      assert.deepEqual([next.status, next.isReused], ['204', true], `${version} ${turn}`)
    }
  }
})
