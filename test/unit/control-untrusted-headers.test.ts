// `sluice check` names what looks at forwarding fields that are never believed, and where that is written.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkDocument } from '../../src/control/review/check-document.ts'
import { parseDocument } from '../../src/document/document.ts'
import { openAdmission } from '../support/declared.ts'

function check(text: string): readonly string[] {
  const document = parseDocument(text, 'a.yaml')
  assert.ok(document.readable)
  return checkDocument('a.yaml', document).map(
    ({ kind, id, line, message }) => `${line}: ${kind} ${id}: ${message}`,
  )
}

const FILE = `listeners:
  web: { address: ':8080', scope: 'Header("X-Forwarded-Host", "shop.example")' }
backends:
  b:
    balance: hash
    hash: { from: header, name: X-Real-Ip }
    servers: { s: 'http://10.0.0.9' }
frontends:
  f:
    route: PathPrefix("/") && !Header("X-Forwarded-Proto", "https")
    backend: b
    ratelimit:
      requests: 5
      key: request.header.X-Forwarded-For
    connlimit: { connections: 5, key: request.header.X-Tenant }
`
const WHY =
  'is always absent: it is accepted only from peers that the setting "trusted" names, and it names none'

test('names conditions and keys on forwarding fields where no peer is trusted', () => {
  assert.deepEqual(check(FILE), [
    `2: listener web: scope: the header "x-forwarded-host" ${WHY}`,
    `6: backend b: hash.name: the header "x-real-ip" ${WHY}`,
    `10: frontend f: route: the header "x-forwarded-proto" ${WHY}`,
    `14: frontend f: ratelimit.key: the header "x-forwarded-for" ${WHY}`,
  ])
})

test('has nothing against them where peers are trusted', () => {
  assert.deepEqual(check(`trusted: [10.0.0.0/8]\n${FILE}`), [])
})

test('a running program names them, those of parts too, for as long as no peer is trusted', () => {
  let trusted: readonly string[] = []
  const admission = openAdmission({ trusted: () => trusted })
  const limit = { kind: 'connlimit', connections: 5, key: 'request.header.X-Request-Id' }
  const remarks = (): readonly string[] =>
    admission.remarks().map(({ kind, id }) => `${kind} ${id}`)

  admission.declare({
    frontends: {
      f: { route: 'Header("Forwarded", "for=_a")', respond: { status: 200 } },
      g: { route: 'Path("/")', respond: { status: 200 } },
    },
    middlewares: { 'g/limit': limit },
  })
  assert.deepEqual(remarks(), ['frontend f', 'middleware g/limit'])

  trusted = ['10.0.0.0/8']
  assert.deepEqual(remarks(), [])

  trusted = []
  admission.declare({ frontends: { f: { route: 'Path("/a")', respond: { status: 200 } } } })
  assert.deepEqual(remarks(), [])
})
