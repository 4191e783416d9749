/** Certificates that are wrong: each is named in one line, and what was in force before serves. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, renameSync, symlinkSync, writeFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { X509Certificate } from 'node:crypto'
import { parseHost } from '../../src/schema/host-certificate.ts'
import { createAuthority } from '../support/certificates.ts'
import { messagesOf, noFile, readFile, valueOf } from '../support/parsed.ts'
import { openTlsClient } from '../support/client.ts'
import { startGateway } from '../support/gateway.ts'
import { startOrigin } from '../support/origin.ts'
import { startProgram } from '../support/program.ts'
import { choosePort } from '../support/ports.ts'
import { eventually } from '../support/until.ts'

test('says what is wrong with a certificate or a key', (t) => {
  const authority = createAuthority(t)
  const { cert, key, certPath, keyPath } = authority.issue('a.test')
  const at = (name: string): string => join(authority.folder, name)
  const openssl = (...args: readonly string[]): void =>
    void execFileSync('openssl', args, { stdio: 'pipe' })
  openssl('x509', '-in', certPath, '-outform', 'der', '-out', at('der.crt'))
  openssl('pkey', '-in', keyPath, '-outform', 'der', '-out', at('der.key'))
  openssl('pkey', '-in', keyPath, '-aes256', '-passout', 'pass:secret', '-out', at('locked.key'))
  openssl(
    ...['req', '-x509', '-newkey', 'rsa:1024', '-nodes', '-days', '9', '-subj', '/CN=weak.test'],
    ...['-keyout', at('weak.key'), '-out', at('weak.crt')],
  )
  const wrong = (value: object): string => messagesOf(parseHost('a', value, readFile)).join(' | ')

  assert.match(
    wrong({ cert: at('der.crt'), key }),
    /^cert: "[^"]*der\.crt" is not usable PEM: it is DER; convert it with openssl x509 -inform der$/,
  )
  assert.match(
    wrong({ cert, key: at('der.key') }),
    /^key: .* it is DER; convert it with openssl pkey -inform der$/,
  )
  assert.match(
    wrong({ cert, key: at('locked.key') }),
    /^key: .* it is encrypted; give a key without a passphrase$/,
  )
  assert.match(
    wrong({ cert: at('weak.crt'), key: at('weak.key') }),
    /its RSA key has 1024 bits, which is too weak for clients/,
  )
  assert.equal(
    wrong({ cert: key, key: cert }),
    'cert: is not usable PEM: it holds no certificate, but a PRIVATE KEY | key: is not usable PEM: it holds no private key, but a CERTIFICATE',
  )
  assert.equal(wrong({ key }), 'cert: is missing')
  assert.equal(
    wrong({ names: ['a.test'] }),
    'cert: is missing | names: are those that tls is for, which is missing',
  )
  assert.match(
    wrong({ tls: { profile: 'modern', minVersion: 'TLSv1.2' } }),
    /^tls\.profile: has no cipher suite of TLS 1\.2/,
  )
  assert.match(
    wrong({ tls: { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.2' } }),
    /^tls\.minVersion: TLSv1\.3 is above maxVersion TLSv1\.2$/,
  )
  assert.match(
    wrong({ tls: { ciphers: ['RC4-SHA'] } }),
    /^tls\.ciphers: "RC4-SHA" is no cipher suite that is secure enough/,
  )
  assert.match(
    wrong({ tls: { curves: ['X25518'] } }),
    /^tls\.curves: "X25518" is no curve, did you mean "X25519"\?$/,
  )
  assert.match(
    wrong({ tls: { clientAuth: {} } }),
    /^tls\.clientAuth\.ca: is missing: require-and-verify verifies/,
  )
  assert.match(
    wrong({ tls: { clientAuth: { mode: 'require', ca: cert } } }),
    /^tls\.clientAuth\.mode: require verifies nothing/,
  )
  assert.match(
    wrong({ tls: { clientAuth: { ca: cert, crl: cert } } }),
    /^tls\.clientAuth\.crl: is not usable PEM: it holds no revocation list, but a CERTIFICATE$/,
  )
})

test('a chain in the wrong order is put into the right one', (t) => {
  const authority = createAuthority(t)
  const { cert, key } = authority.issue('a.test')

  const { certificate } = valueOf(parseHost('a', { cert: authority.cert + cert, key }, noFile))

  const chain = certificate?.cert.match(/-----BEGIN[^-]*-----[^-]*-----END[^-]*-----/g) ?? []
  assert.deepEqual(
    chain.map((pem) => new X509Certificate(pem).subject),
    ['CN=a.test', 'CN=Test CA'],
  )
  const right = valueOf(parseHost('a', { cert: cert + authority.cert, key }, noFile))
  assert.equal(right.certificate?.cert, cert + authority.cert)
})

test('an expired certificate replaces none that is valid, and serves if it is the only one', async (t) => {
  const authority = createAuthority(t)
  const origin = await startOrigin(t)
  const [valid, expired] = [authority.issue('a.test'), authority.issueWith({ days: -1 }, 'a.test')]
  const port = await choosePort()
  const configOf = ({ cert, key }: typeof valid): object => ({
    listeners: { secure: { address: `127.0.0.1:${port}`, protocol: 'https' } },
    hosts: { 'a.test': { cert, key } },
    backends: { b: { servers: { s: origin.url } } },
  })
  const gateway = await startGateway(t, configOf(valid))
  const serialOf = async (): Promise<string | undefined> => {
    const client = await openTlsClient(t, port, { servername: 'a.test', rejectUnauthorized: false })
    return client.socket.getPeerX509Certificate()?.serialNumber
  }

  await gateway.apply(configOf(expired))

  assert.equal(await serialOf(), new X509Certificate(valid.cert).serialNumber)
  assert.match(
    gateway.problems().join(),
    /the certificate for a\.test ended on 20\d\d-\d\d-\d\d; what was in force before stays/,
  )
  const alone = await startGateway(t, {
    listeners: { secure: { address: '127.0.0.1:0', protocol: 'https' } },
    hosts: { 'a.test': { cert: expired.cert, key: expired.key } },
  })
  assert.equal(alone.problems().length, 0)
})

test('a certificate whose key is missing, of another one, or cut off is named in one line, and the old one serves', async (t) => {
  const authority = createAuthority(t)
  const [good, other] = [authority.issue('a.test'), authority.issue('a.test')]
  const port = await choosePort()
  const configOf = (pair: object): object => ({
    listeners: { secure: { address: `127.0.0.1:${port}`, protocol: 'https' } },
    hosts: { 'a.test': pair },
  })
  const gateway = await startGateway(t, configOf({ cert: good.cert, key: good.key }))
  const wrong: readonly (readonly [pair: object, problem: RegExp])[] = [
    [{ cert: other.cert }, /^a\.test: key: is missing$/],
    [
      { cert: other.cert, key: '/not/there.key' },
      /^a\.test: key: cannot read "\/not\/there\.key": /,
    ],
    [{ cert: other.cert, key: good.key }, /^a\.test: the key does not belong to the certificate$/],
    [{ cert: other.cert.slice(0, 200), key: other.key }, /^a\.test: cert: is not usable PEM: /],
  ]

  for (const [pair, problem] of wrong) {
    await gateway.apply(configOf(pair))

    assert.equal(gateway.problems().length, 1)
    assert.match(gateway.problems()[0] ?? '', problem)
    const client = await openTlsClient(t, port, { servername: 'a.test', ca: authority.cert })
    assert.equal(
      client.socket.getPeerX509Certificate()?.serialNumber,
      new X509Certificate(good.cert).serialNumber,
    )
  }
})

test('files that are replaced, or reached by a link that is swapped, come into force by themselves', async (t) => {
  const authority = createAuthority(t)
  const leaves = [authority.issue('a.test'), authority.issue('a.test'), authority.issue('a.test')]
  const folder = authority.folder
  const versions = leaves.map((leaf, at) => {
    const version = join(folder, `..version-${at}`)
    mkdirSync(version)
    writeFileSync(join(version, 'tls.crt'), leaf.cert)
    writeFileSync(join(version, 'tls.key'), leaf.key)
    return version
  })
  // As Kubernetes mounts a secret.
  const swapTo = (at: number): void => {
    symlinkSync(versions[at] ?? '', join(folder, '..next'))
    renameSync(join(folder, '..next'), join(folder, '..data'))
  }
  swapTo(0)
  symlinkSync(join('..data', 'tls.crt'), join(folder, 'tls.crt'))
  symlinkSync(join('..data', 'tls.key'), join(folder, 'tls.key'))
  const port = await choosePort()
  await startProgram(t, {
    workers: 0,
    listeners: {
      web: {
        address: `127.0.0.1:${port}`,
        protocol: 'https',
        tls: { certificates: [{ cert: join(folder, 'tls.crt'), key: join(folder, 'tls.key') }] },
      },
    },
  })
  const untilServed = async (at: number): Promise<void> => {
    const wanted = new X509Certificate(leaves[at]?.cert ?? '').serialNumber
    await eventually(async () => {
      const client = await openTlsClient(t, port, { rejectUnauthorized: false })
      const served = client.socket.getPeerX509Certificate()?.serialNumber
      client.socket.destroy()
      return served === wanted
    }, 'the certificate is served')
  }

  await untilServed(0)
  swapTo(1)
  await untilServed(1)
  // In place, the certificate first: for a moment the two do not belong together.
  writeFileSync(join(folder, 'tls.crt'), leaves[2]?.cert ?? '')
  writeFileSync(join(folder, 'tls.key'), leaves[2]?.key ?? '')
  await untilServed(2)
  assert.equal(readFileSync(join(folder, 'tls.crt'), 'utf8'), leaves[2]?.cert)
})
