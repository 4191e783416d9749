// Traefik's tls.options as TLS options of hosts. What guards a route is translated exactly, or the router is closed.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { validateObject } from '../../src/control/admission/validate-object.ts'
import { createMirror } from '../../src/providers/registry/mirror.ts'
import type { DeclaredObject } from '../../src/providers/provider.ts'
import { hostsOfRule } from '../../src/providers/layouts/traefik/rule-hosts.ts'
import { createAuthority } from '../support/certificates.ts'
import { openAdmission, type Sections } from '../support/declared.ts'
import { createLayout } from '../support/layouts.ts'

type Keys = Readonly<Record<string, string>>

const CLOSED = 'is closed, requests get 503: '
const LISTENERS = 'tls is not honoured: a listener has its protocol and certificates'

function objectsOf(keys: Keys): readonly DeclaredObject[] {
  const mirror = createMirror(createLayout('traefik', { sealKey: null }))
  for (const [path, text] of Object.entries(keys)) {
    mirror.put({ path, key: `/traefik/${path}`, text })
  }
  return [...mirror.declare({ revision: '', listed: 'first', changedAt: 0 }).objects]
}

interface Router {
  readonly value: { readonly respond?: unknown; readonly middlewares?: readonly unknown[] }
  readonly remarks: readonly string[]
  /** TLS options of its hosts. */
  readonly host: DeclaredObject | undefined
  readonly why: string | null
}

/** `options`: those that it names. */
function routerWith(router: Keys, options: Keys = {}, name = 'mtls'): Router {
  const prefixed = (prefix: string, keys: Keys): Keys =>
    Object.fromEntries(Object.entries(keys).map(([member, text]) => [prefix + member, text]))
  const objects = objectsOf({
    ...prefixed('http/routers/r/', {
      rule: 'Host(`a.test`)',
      service: 's',
      tls: 'true',
      ...router,
    }),
    ...prefixed(`tls/options/${name}/`, options),
  })
  const frontend = objects.find(({ kind }) => kind === 'frontend')
  assert.ok(frontend)
  assert.equal(validateObject('frontend', 'r', frontend.value, String), null)
  const { remarks = [] } = frontend
  return {
    value: frontend.value as Router['value'],
    remarks,
    host: objects.find(({ kind }) => kind === 'host'),
    why: remarks.find((remark) => remark.startsWith(CLOSED))?.slice(CLOSED.length) ?? null,
  }
}

test('options that a router names are those of a host with the names of its rule', () => {
  const { host, value, remarks } = routerWith(
    { rule: 'Host(`a.test`, `B.test`) && PathPrefix(`/x`)', 'tls/options': 'mtls' },
    {
      minVersion: 'VersionTLS12',
      maxVersion: 'VersionTLS13',
      'cipherSuites/0': 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256',
      'cipherSuites/1': 'TLS_RSA_WITH_RC4_128_SHA',
      'curvePreferences/0': 'CurveP256',
      'alpnProtocols/0': 'http/1.1',
      'alpnProtocols/1': 'acme-tls/1',
      disableSessionTickets: 'true',
      sniStrict: 'true',
      preferServerCipherSuites: 'true',
      other: '1',
    },
  )

  assert.deepEqual(
    { id: host?.id, value: host?.value, key: host?.key },
    {
      id: 'router-r',
      value: {
        names: ['a.test', 'b.test'],
        tls: {
          minVersion: 'TLSv1.2',
          maxVersion: 'TLSv1.3',
          ciphers: ['ECDHE-RSA-AES128-GCM-SHA256'],
          curves: ['prime256v1'],
          tickets: false,
          alpn: ['http/1.1'],
        },
      },
      key: '/traefik/http/routers/r',
    },
  )
  assert.equal(validateObject('host', 'router-r', host?.value, String), null)
  assert.deepEqual(remarks, [
    LISTENERS,
    'tls/options: "other" is not honoured',
    'tls/options: snistrict is not honoured: set strictSni of the listener',
    'tls/options: ciphersuites: "TLS_RSA_WITH_RC4_128_SHA" cannot be used here',
  ])
  assert.equal('middlewares' in value, false)
})

const AUTH = 'clientAuth/clientAuthType'
const CA = { 'clientAuth/caFiles/0': '/certs/ca.pem' }

test('clients without a certificate that verifies are kept from the names and from the route', () => {
  for (const options of [{ ...CA, [AUTH]: 'RequireAndVerifyClientCert' }, CA]) {
    const { host, value, why } = routerWith({ 'tls/options': 'mtls' }, options)

    assert.equal(why, null)
    assert.deepEqual(host?.value, {
      names: ['a.test'],
      tls: { clientAuth: { mode: 'require-and-verify', ca: ['/certs/ca.pem'] } },
    })
    assert.deepEqual(value.middlewares, [{ kind: 'clientcert', required: true }])
  }
})

test('the milder modes guard no route', () => {
  const modeOf = (options: Keys): unknown => {
    const { host, value } = routerWith({ 'tls/options': 'mtls' }, options)
    assert.equal('middlewares' in value, false)
    return host?.value
  }
  const names = ['a.test']

  assert.deepEqual(modeOf({ ...CA, [AUTH]: 'VerifyClientCertIfGiven' }), {
    names,
    tls: { clientAuth: { mode: 'verify-if-given', ca: ['/certs/ca.pem'] } },
  })
  assert.deepEqual(modeOf({ [AUTH]: 'RequestClientCert' }), {
    names,
    tls: { clientAuth: { mode: 'request' } },
  })
  assert.equal(modeOf({ [AUTH]: 'NoClientCert' }), undefined)
})

test('the default options are those of routers that name none', () => {
  const { host } = routerWith({}, { ...CA, minVersion: 'VersionTLS13' }, 'default')
  const named = routerWith(
    { 'tls/options': 'default@file' },
    { minVersion: 'VersionTLS13' },
    'default',
  )

  assert.deepEqual(Object.keys((host?.value as { tls: object }).tls), ['minVersion', 'clientAuth'])
  assert.equal(named.why, null)
  assert.deepEqual(named.host?.value, { names: ['a.test'], tls: { minVersion: 'TLSv1.3' } })
  assert.equal(routerWith({ 'tls/options': 'default' }).why, null)
})

test('what decides who may come in and cannot be translated closes the router, with the reason', () => {
  const named = { 'tls/options': 'mtls' }
  const whyOf = (router: Keys, options: Keys): string | null => {
    const found = routerWith(router, options)
    assert.notEqual(found.value.respond, undefined)
    assert.equal(found.host, undefined)
    return found.why
  }

  assert.match(
    whyOf(named, { [AUTH]: 'RequireAnyClientCert' }) ?? '',
    /^tls\/options "mtls": clientauth\/clientauthtype: RequireAnyClientCert accepts any certificate, .*; use RequireAndVerifyClientCert with cafiles$/,
  )
  assert.equal(
    whyOf(named, { [AUTH]: 'RequireAndVerifyClientCert' }),
    'tls/options "mtls": clientauth/cafiles is missing: RequireAndVerifyClientCert verifies against it',
  )
  assert.equal(
    whyOf(named, { ...CA, [AUTH]: 'Sometimes' }),
    'tls/options "mtls": clientauth/clientauthtype: "Sometimes" is not known',
  )
  assert.equal(
    whyOf(named, { 'clientAuth/spiffe': 'x' }),
    'tls/options "mtls": clientauth/spiffe is not supported',
  )
  assert.equal(
    whyOf({ ...named, rule: 'Host(`a.test`) || PathPrefix(`/`)' }, CA),
    'tls/options: clientauth needs a rule that is for certain hosts, such as Host(`a.example`)',
  )
  assert.equal(
    whyOf({ 'tls/options': 'mtls@file' }, {}),
    'tls/options: "mtls@file" is not declared',
  )
})

test('options that guard nothing are a remark where the rule is for any host', () => {
  const { why, host, remarks } = routerWith(
    { rule: 'PathPrefix(`/`)', 'tls/options': 'mtls' },
    { minVersion: 'VersionTLS10', maxVersion: 'VersionTLS12' },
  )

  assert.deepEqual([why, host], [null, undefined])
  assert.deepEqual(remarks.slice(1), [
    'tls/options: minversion "VersionTLS10" is not honoured: TLS 1.2 is the oldest',
    'tls/options is not honoured: the rule is not for certain hosts; set tls of the listener',
  ])
})

test('a tcp router whose options ask for certificates of clients is refused', () => {
  const [router] = objectsOf({
    'tcp/routers/db/rule': 'HostSNI(`db.test`)',
    'tcp/routers/db/service': 'db',
    'tcp/routers/db/tls/options': 'mtls',
    'tls/options/mtls/clientAuth/caFiles': '/certs/ca.pem',
  })

  assert.match(router?.fault ?? '', /^tls\/options: clientauth of a tcp router is not supported/)
})

const HOSTS: readonly (readonly [rule: string, hosts: readonly string[] | null])[] = [
  ['Host(`a`)', ['a']],
  ['Host(`a`) || Host(`b`, `a`)', ['a', 'b']],
  ['(Host(`a`) || Host(`b`)) && PathPrefix(`/x`)', ['a', 'b']],
  ['PathPrefix(`/x`) && Host(`a`)', ['a']],
  ['Host(`a`) && !Host(`b`)', ['a']],
  ['Host(`a`) && Host(`b`)', ['a']],
  ['Host(`a`) || PathPrefix(`/x`)', null],
  ['Host(`a`) || PathPrefix(`/x`) && Host(`b`)', ['a', 'b']],
  ['!Host(`a`)', null],
  ['!(Host(`a`) || Host(`b`))', null],
  ['HostRegexp(`^a$`)', null],
  ['Host(`{x:[a-z]+}.a`)', null],
  ['PathPrefix(`/`)', null],
]

for (const [rule, hosts] of HOSTS) {
  test(`the hosts of ${rule}`, () => {
    assert.deepEqual(hostsOfRule(rule, null), hosts)
  })
}

test('options whose authority cannot be read let no client in, until it can', (t) => {
  const authority = createAuthority(t)
  const leaf = authority.issue('a.test')
  let ca: string | null = null
  const admission = openAdmission({
    readFile() {
      if (ca === null) throw new Error('it is not there')
      return ca
    },
  })
  const objects = objectsOf({
    'http/routers/r/rule': 'Host(`a.test`)',
    'http/routers/r/service': 's',
    'http/routers/r/tls/options': 'mtls',
    'tls/options/mtls/clientAuth/caFiles': '/certs/ca.pem',
  })
  const host = objects.find(({ kind }) => kind === 'host')
  const sections: Sections = {
    listeners: { secure: { address: '127.0.0.1:8443', protocol: 'https' } },
    hosts: { 'a.test': { cert: leaf.cert, key: leaf.key }, 'router-r': host?.value },
  }
  const declare = (revision: string): ReturnType<typeof admission.declare> =>
    admission.declare(sections, revision, 'file', (object) =>
      object.id === 'router-r' && host?.closed !== undefined
        ? { ...object, closed: host.closed }
        : object,
    )
  const modesOf = ({ snapshot }: ReturnType<typeof declare>): unknown =>
    snapshot.listeners.get('secure')?.tls?.hosts.map(({ options }) => options.clientAuth?.mode)

  const closed = declare('r1')
  const stillClosed = declare('r2')
  ca = authority.cert
  const open = declare('r3')
  ca = null
  const again = declare('r4')

  assert.deepEqual(modesOf(closed), ['require'])
  const messages = [closed, stillClosed].map(({ setAside }) => setAside.map((one) => one.message))
  assert.match(messages.join('|'), /^(lets no client in: tls\.clientAuth\.ca: cannot read .*)\|\1$/)
  assert.deepEqual([modesOf(open), open.setAside], [['require-and-verify'], []])
  // The good version stays.
  assert.deepEqual(modesOf(again), ['require-and-verify'])
  assert.deepEqual(
    again.setAside.map(({ serving }) => serving),
    [true],
  )
})

test('what is made for a router with the longest name has an id of its own', () => {
  const names = ['a', 'b'].map((last) => `${'r'.repeat(127)}${last}`)
  const objects = objectsOf({
    'tls/options/strict/minVersion': 'VersionTLS13',
    'http/middlewares/lan/ipAllowList/sourceRange/0': '10.0.0.0/8',
    ...Object.fromEntries(
      names.flatMap((name) =>
        Object.entries({
          rule: 'Host(`a.test`)',
          service: 's',
          'tls/options': 'strict',
          'middlewares/0': 'lan',
        }).map(([member, text]) => [`http/routers/${name}/${member}`, text]),
      ),
    ),
  })

  for (const { kind, id, fault, value } of objects) {
    if (kind !== 'host' && kind !== 'frontend') continue
    assert.deepEqual([fault, validateObject(kind, id, value, String)], [undefined, null], id)
  }
  const ids = objects
    .filter(({ kind }) => kind !== 'middleware')
    .map(({ kind, id }) => `${kind} ${id}`)
  assert.equal(new Set(ids).size, 6, ids.join('\n'))
})

test('suites of TLS 1.2 where 1.3 alone is spoken have no effect, as in Traefik', () => {
  const { host, remarks } = routerWith(
    { rule: 'Host(`a.test`)', 'tls/options': 'modern' },
    {
      minVersion: 'VersionTLS13',
      'cipherSuites/0': 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256',
    },
    'modern',
  )

  assert.deepEqual(host?.value, { names: ['a.test'], tls: { minVersion: 'TLSv1.3' } })
  assert.equal(validateObject('host', 'router-r', host?.value, String), null)
  assert.ok(
    remarks.includes(
      'tls/options: ciphersuites has no effect: they are of TLS 1.2, and minversion is VersionTLS13',
    ),
    remarks.join('\n'),
  )
})
