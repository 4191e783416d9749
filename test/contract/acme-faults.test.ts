/** What a CA may do that pebble does not: a FAKE one, see test/support/fake-ca.ts. */
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { AcmeError } from '../../src/acme/protocol/acme-error.ts'
import { certificateId } from '../../src/acme/protocol/certificate-id.ts'
import type { AcmeClientOptions } from '../../src/acme/protocol/client.ts'
import { issue, openAt, type Proof, prove, startFront } from '../support/acme.ts'
import { createAuthority } from '../support/certificates.ts'
import { type FakeCa, type FakeCaOptions, startFakeCa } from '../support/fake-ca.ts'

interface Site extends Proof {
  readonly authority: FakeCa
}

const HOUR_MS = 3_600_000

describe('limits', () => {
  test('a limit is passed on with its words, its time and its page, and not tried again', async (t) => {
    const { client, authority } = await startSite(t)
    const link = '<https://ca.test/docs/limits>;rel="help", <https://ca.test/x>;rel="up"'
    authority.fail('newOrder', {
      ...{ status: 429, type: 'rateLimited', detail: 'too many certificates (5) for a.example' },
      headers: { 'Retry-After': '7200', Link: link },
    })

    const error = await refusalOf(client.order({ names: ['a.example'] }))

    assert.equal(error.type, 'rateLimited')
    assert.equal(error.status, 429)
    assert.equal(error.retryAfterMs, 2 * HOUR_MS)
    assert.equal(error.url, 'https://ca.test/docs/limits')
    assert.match(
      error.message,
      /^cannot order a certificate for a\.example: the CA at 127\.0\.0\.1:\d+ says: too many certificates \(5\) for a\.example \(rateLimited\)$/,
    )
    assert.equal(authority.requests.filter((one) => one === 'newOrder').length, 1)
  })

  test('a date in Retry-After counts from the Date of the CA', async (t) => {
    const { client, authority } = await startSite(t)
    authority.fail('newOrder', {
      ...{ status: 503, text: '<html><h1>Service unavailable</h1></html>' },
      headers: {
        Date: 'Mon, 01 Jan 2001 00:00:00 GMT',
        'Retry-After': 'Mon, 01 Jan 2001 01:00:00 GMT',
      },
    })

    const error = await refusalOf(client.order({ names: ['a.example'] }))

    assert.equal(error.type, 'serverInternal')
    assert.equal(error.detail, 'Service unavailable')
    assert.equal(error.retryAfterMs, HOUR_MS)
  })

  test('subproblems name what they are about', async (t) => {
    const { client, authority } = await startSite(t)
    authority.fail('newOrder', {
      ...{ status: 403, type: 'rejectedIdentifier', detail: 'some names cannot be signed' },
      subproblems: [
        {
          type: 'urn:ietf:params:acme:error:rejectedIdentifier',
          detail: 'this name is on a list',
          identifier: { type: 'dns', value: 'bad.example' },
        },
        {},
      ],
    })

    const error = await refusalOf(client.order({ names: ['a.example', 'bad.example'] }))

    assert.deepEqual(error.subproblems, [
      { type: 'rejectedIdentifier', detail: 'this name is on a list', identifier: 'bad.example' },
      { type: 'unknown', detail: 'no reason is given', identifier: null },
    ])
    assert.match(
      error.message,
      /some names cannot be signed \(rejectedIdentifier\); bad\.example: this name is on a list; no reason is given$/,
    )
  })

  for (const [resource, times] of [
    ['order', 2],
    ['finalize', 1],
  ] as const) {
    test(`a wait goes on if ${resource} fails for a moment`, async (t) => {
      const site = await startSite(t)
      const order = await provenOrder(site, 'a.example')
      site.authority.fail(resource, { status: 503, text: 'away', times })

      const { leaf } = await issue(site.client, order)

      assert.equal(leaf.subjectAltName, 'DNS:a.example')
    })
  }

  test('a wait goes on if an authorization cannot be read for a moment', async (t) => {
    const site = await startSite(t)
    const order = await provenOrder(site, 'a.example')
    const [authorization] = await site.client.authorizations(order)
    assert.ok(authorization !== undefined)
    site.authority.fail('authorization', { status: 503, text: 'away', times: 2 })

    assert.equal((await site.client.awaitValid(authorization)).status, 'valid')
  })

  test('a wait ends if the CA asks to wait for long', async (t) => {
    const site = await startSite(t)
    const order = await site.client.order({ names: ['a.example'] })
    await prove(order, 'http-01', site)
    site.authority.fail('finalize', {
      ...{ status: 429, type: 'rateLimited', detail: 'slow down' },
      headers: { 'Retry-After': '3600' },
    })

    const error = await refusalOf(issue(site.client, order))

    assert.equal(error.retryAfterMs, HOUR_MS)
    assert.match(error.message, /^cannot have a certificate for a\.example issued: /)
  })

  test('an order that stays in processing is waited for, by what the CA asks for', async (t) => {
    const site = await startSite(t)
    const order = await site.client.order({ names: ['a.example'] })
    await prove(order, 'http-01', site)
    site.authority.processingLooks = 2
    site.authority.retryAfter = '0'

    const { leaf } = await issue(site.client, order)

    assert.equal(leaf.subjectAltName, 'DNS:a.example')
    assert.equal(site.authority.requests.filter((one) => one === 'finalize').length, 1)
  })

  test('a wait has an end', async (t) => {
    const site = await startSite(t, {}, { waitMs: 2_000 })
    const order = await site.client.order({ names: ['a.example'] })
    await prove(order, 'http-01', site)
    site.authority.processingLooks = Infinity

    const error = await refusalOf(issue(site.client, order))

    assert.equal(error.type, 'timeout')
    assert.match(error.message, /still works on it after 2 s/)
  })

  test('authorizations that expire end the order', async (t) => {
    const site = await startSite(t)
    const order = await site.client.order({ names: ['a.example'] })
    const [authorization] = await site.client.authorizations(order)
    assert.ok(authorization !== undefined)
    site.authority.expireAuthorizations()

    const error = await refusalOf(site.client.awaitValid(authorization))
    const late = await refusalOf(issue(site.client, order))

    assert.equal(error.type, 'expired')
    assert.match(error.message, /the authorization is expired at the CA at /)
    assert.equal(late.type, 'expired')
  })
})

describe('renewal information', () => {
  test('is the window that the CA suggests, and when to ask again', async (t) => {
    const site = await startSite(t)
    const { chain } = await issueFor(site, 'a.example')
    site.authority.renewal = {
      document: {
        suggestedWindow: { start: '2026-01-02T04:00:00Z', end: '2026-01-03T04:00:00Z' },
        explanationURL: 'https://ca.test/incident',
      },
      retryAfter: '7200',
    }

    const info = await site.client.renewalInfo(chain)

    assert.deepEqual(info, {
      start: Date.UTC(2026, 0, 2, 4),
      end: Date.UTC(2026, 0, 3, 4),
      explanationUrl: 'https://ca.test/incident',
      retryAfterMs: 2 * HOUR_MS,
    })
  })

  for (const [retryAfter, expected] of [
    ['1', 60_000],
    ['999999999', 24 * HOUR_MS],
    [null, 6 * HOUR_MS],
    ['soon', 6 * HOUR_MS],
  ] as const) {
    test(`with Retry-After ${retryAfter} it is asked again after ${expected / 60_000} min`, async (t) => {
      const site = await startSite(t)
      const { chain } = await issueFor(site, 'a.example')
      const suggestedWindow = { start: '2026-01-02T04:00:00Z', end: '2026-01-03T04:00:00Z' }
      site.authority.renewal = { document: { suggestedWindow }, retryAfter }

      assert.equal((await site.client.renewalInfo(chain))?.retryAfterMs, expected)
    })
  }

  for (const window of [
    { start: '2026-01-02T04:00:00Z', end: '2026-01-02T04:00:00Z' },
    { start: '2026-01-03T04:00:00Z', end: '2026-01-02T04:00:00Z' },
    { start: 'soon', end: '2026-01-02T04:00:00Z' },
    {},
  ]) {
    test(`a window of ${JSON.stringify(window)} is refused`, async (t) => {
      const site = await startSite(t)
      const { chain } = await issueFor(site, 'a.example')
      site.authority.renewal = { document: { suggestedWindow: window }, retryAfter: null }

      const error = await refusalOf(site.client.renewalInfo(chain))

      assert.equal(error.type, 'malformedResponse')
      assert.match(error.message, /^cannot ask when to renew a certificate: .* its window /)
    })
  }

  test('is null at a CA that has none, and an error for a certificate of another CA', async (t) => {
    const without = await startSite(t, { lacksRenewalInfo: true })
    const { chain } = await issueFor(without, 'a.example')
    const site = await startSite(t)

    assert.equal(await without.client.renewalInfo(chain), null)
    assert.equal((await refusalOf(site.client.renewalInfo(chain))).status, 404)
  })
})

describe('orders', () => {
  test('an order says what it replaces, and is made without that if another one has replaced it', async (t) => {
    const site = await startSite(t)
    const { chain } = await issueFor(site, 'a.example')
    const replaces = certificateId(chain)

    await site.client.order({ names: ['a.example'], replaces })
    await site.client.order({ names: ['a.example'], replaces })

    assert.deepEqual(
      site.authority.orders.map((order) => order.replaces),
      [null, replaces, null],
    )
  })

  test('an order that replaces says nothing of it to a CA without renewal information', async (t) => {
    const { client, authority } = await startSite(t, { lacksRenewalInfo: true })

    await client.order({ names: ['a.example'], replaces: 'aYhb.AIdl' })

    assert.deepEqual(
      authority.orders.map((order) => order.replaces),
      [null],
    )
  })

  test('an order names its profile, and one that the CA lacks is refused before it is asked', async (t) => {
    const { client, authority } = await startSite(t, {
      profiles: { shortlived: 'six days', classic: '' },
    })

    await client.order({ names: ['a.example'], profile: 'shortlived' })
    const error = await refusalOf(client.order({ names: ['a.example'], profile: 'long' }))

    assert.deepEqual(
      authority.orders.map(({ profile }) => profile),
      ['shortlived'],
    )
    assert.equal(error.type, 'invalidProfile')
    assert.match(error.message, /has no profile "long"; it has shortlived, classic$/)
  })

  test('an account that the CA has forgotten is named as such', async (t) => {
    const authority = await startFakeCa(t)
    const accountUrl = `${new URL(authority.directoryUrl).origin}/account/gone`
    const { client } = await openAt(t, authority, { accountUrl })

    const error = await refusalOf(client.order({ names: ['a.example'] }))

    assert.equal(error.type, 'accountDoesNotExist')
  })

  test('nothing is signed without an account', async (t) => {
    const { client } = await openAt(t, await startFakeCa(t))

    const error = await refusalOf(client.order({ names: ['a.example'] }))

    assert.match(error.message, /no account is registered/)
  })

  test('the directory is read again when its URLs are gone', async (t) => {
    const site = await startSite(t)
    await issueFor(site, 'a.example')
    site.authority.move()

    const { leaf } = await issueFor(site, 'b.example')

    assert.equal(leaf.subjectAltName, 'DNS:b.example')
    assert.equal(site.authority.requests.filter((one) => one === 'directory').length, 2)
  })

  test('refused nonces come to an end', async (t) => {
    const { client, authority } = await startSite(t)
    authority.fail('newOrder', { status: 400, type: 'badNonce', detail: 'no', times: 100 })

    const error = await refusalOf(client.order({ names: ['a.example'] }))

    assert.equal(error.type, 'badNonce')
    assert.ok(authority.requests.filter((one) => one === 'newOrder').length <= 20)
  })
})

describe('a certificate that cannot be used', () => {
  for (const [what, names, days, reason] of [
    ['another key', ['a.example'], 30, /it is for another key/],
    ['none at all', null, 30, /it holds no certificate/],
  ] as const) {
    test(`${what} is refused`, async (t) => {
      const site = await startSite(t)
      const other =
        names === null ? 'nothing' : createAuthority(t).issueWith({ days }, ...names).cert
      site.authority.chain = other

      const error = await refusalOf(issueFor(site, 'a.example'))

      assert.equal(error.type, 'refusedCertificate')
      assert.match(
        error.message,
        /^cannot download the certificate for a\.example: the certificate from the CA /,
      )
      assert.match(error.message, reason)
    })
  }

  test('one that has ended, or begins later than the clock says, is refused', async (t) => {
    let now = Date.now()
    const site = await startSite(t, { validityDays: 1 }, { now: () => now })
    const order = await provenOrder(site, 'a.example')

    now += 2 * 24 * HOUR_MS
    const ended = await refusalOf(issue(site.client, order))
    now -= 4 * 24 * HOUR_MS
    const early = await refusalOf(issueFor(site, 'b.example'))

    assert.match(ended.message, /it ended at \d{4}-/)
    assert.match(early.message, /it begins at \d{4}-.*; is the clock right\?$/)
  })
})

describe('a hostile CA', () => {
  for (const url of [
    'https://other.test/order/1',
    'http://127.0.0.1/order',
    'file:///etc/passwd',
  ]) {
    test(`a URL ${url} is not followed`, async (t) => {
      const { client, authority } = await startSite(t)
      authority.fail('newOrder', {
        ...{ status: 201, headers: { Location: url } },
        text: JSON.stringify({
          status: 'ready',
          identifiers: [{ type: 'dns', value: 'a.example' }],
          authorizations: [],
          finalize: url,
        }),
      })

      const error = await refusalOf(
        client.order({ names: ['a.example'] }).then((order) => client.orderAt(order.url)),
      )

      assert.equal(error.type, 'malformedResponse')
      assert.match(error.message, /it refers to ".*", which is not at https:\/\/127\.0\.0\.1:\d+$/)
    })
  }

  test('a redirect is not followed', async (t) => {
    const { client, authority } = await startSite(t)
    authority.fail('newOrder', { status: 307, headers: { Location: authority.directoryUrl } })

    const error = await refusalOf(client.order({ names: ['a.example'] }))

    assert.equal(error.status, 307)
  })

  test('a response without an end is cut', async (t) => {
    const { client, authority } = await startSite(t)
    authority.fail('newOrder', { status: 200, text: 'x'.repeat(1 << 20) })

    const error = await refusalOf(client.order({ names: ['a.example'] }))

    assert.match(error.message, /the response has more than 262144 bytes/)
  })

  for (const [what, text] of [
    ['no JSON', '<html>'],
    ['no object', '[]'],
    ['an order without a list', '{"status":"pending","identifiers":[]}'],
    ['an unknown status', '{"status":"odd"}'],
    ['another name', anotherOrder()],
    ['a thousand levels', '['.repeat(1000)],
  ] as const) {
    test(`${what} is a malformed response`, async (t) => {
      const { client, authority } = await startSite(t)
      authority.fail('newOrder', { status: 201, text, headers: { Location: '/order' } })

      const error = await refusalOf(client.order({ names: ['a.example'] }))

      assert.equal(error.type, 'malformedResponse')
      assert.match(error.message, /^cannot order a certificate for a\.example: the CA at /)
    })
  }

  test('a token that is no part of a path is refused', async (t) => {
    const { client, authority } = await startSite(t)
    const order = await client.order({ names: ['a.example'] })
    const challenge = { type: 'http-01', token: '../../etc', url: '/c', status: 'pending' }
    authority.fail('authorization', {
      status: 200,
      text: JSON.stringify({
        status: 'pending',
        identifier: { type: 'dns', value: 'a.example' },
        challenges: [challenge],
      }),
    })

    const error = await refusalOf(client.authorizations(order))

    assert.match(error.message, /the token "\.\.\/\.\.\/etc" is not base64url/)
  })

  test('its words are shown on one line, without control characters, and shortened', async (t) => {
    const { client, authority } = await startSite(t)
    const detail = `red \u001b[31m\n and ${'long '.repeat(1000)}`
    authority.fail('newOrder', { status: 400, type: 'mal formed', detail })

    const error = await refusalOf(client.order({ names: ['a.example'] }))

    assert.equal(error.type, 'malformedResponse')
    assert.match(error.detail, /^red \\u001b\[31m and long /)
    assert.ok(error.message.length < 1_200)
  })

  test('silence ends a request after its time, and a signal at once', async (t) => {
    const site = await startSite(t, {}, { requestMs: 200 })
    const patient = await openAt(t, site.authority, { accountUrl: site.client.accountUrl })
    t.after(site.authority.hold('newOrder'))

    const late = await refusalOf(site.client.order({ names: ['a.example'] }))
    const waiting = refusalOf(patient.client.order({ names: ['a.example'] }))
    patient.ending.abort(new Error('the program stops'))
    const ended = await waiting

    assert.equal(late.type, 'timeout')
    assert.match(late.message, /cannot be reached: no response in time$/)
    assert.equal(ended.type, 'aborted')
  })

  test('a wait ends with the signal of its caller', async (t) => {
    const site = await startSite(t)
    const order = await site.client.order({ names: ['a.example'] })
    const [authorization] = await site.client.authorizations(order)
    assert.ok(authorization !== undefined)
    const ending = new AbortController()
    site.authority.retryAfter = '60'

    const waiting = refusalOf(site.client.awaitValid(authorization, ending.signal))
    ending.abort()

    assert.equal((await waiting).type, 'aborted')
  })

  test('a certificate of another authority is not trusted', async (t) => {
    const authority = await startFakeCa(t)
    const { client } = await openAt(t, { ...authority, ca: createAuthority(t).cert })

    const error = await refusalOf(client.register({ email: null }))

    assert.equal(error.type, 'unreachable')
    assert.match(error.message, /^cannot read the directory: the CA at .* cannot be reached: /)
  })

  test('a directory without TLS is refused', async (t) => {
    const { ca } = await startFakeCa(t)

    await assert.rejects(
      openAt(t, { directoryUrl: 'http://ca.test/directory', ca, setTxt: async () => {} }),
      /the directory of a CA has an https URL, which "http:\/\/ca\.test\/directory" is not/,
    )
  })

  test('a CA that is away is unreachable', async (t) => {
    const authority = await startFakeCa(t)
    const away = { ...authority, directoryUrl: 'https://127.0.0.1:1/directory' }
    const { client } = await openAt(t, away)

    const error = await refusalOf(client.register({ email: null }))

    assert.equal(error.type, 'unreachable')
    assert.equal(error.status, null)
    assert.match(error.detail, /ECONNREFUSED/)
  })
})

function anotherOrder(): string {
  return JSON.stringify({
    status: 'pending',
    identifiers: [{ type: 'dns', value: 'b.example' }],
    authorizations: [],
    finalize: 'https://127.0.0.1/f',
  })
}

async function startSite(
  t: TestContext,
  options: FakeCaOptions = {},
  client: Partial<AcmeClientOptions> = {},
): Promise<Site> {
  const front = await startFront(t)
  const { httpPort, tlsPort } = front
  const authority = await startFakeCa(t, { httpPort, tlsPort, ...options })
  const opened = await openAt(t, authority, client)
  await opened.client.register({ email: null })
  return { ...opened, front, authority }
}

async function provenOrder(site: Site, name: string): ReturnType<Site['client']['order']> {
  const order = await site.client.order({ names: [name] })
  await prove(order, 'http-01', site)
  return order
}

async function issueFor(site: Site, name: string): ReturnType<typeof issue> {
  return issue(site.client, await provenOrder(site, name))
}

/** What the call rejects with. */
async function refusalOf(call: Promise<unknown>): Promise<AcmeError> {
  const error = await call.then(
    () => null,
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof AcmeError, String(error))
  return error
}
