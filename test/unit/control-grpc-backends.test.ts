import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isGrpcRoute } from '../../src/routing/grpc-route.ts'
import { openAdmission } from '../support/declared.ts'

const LISTENERS = { web: { address: '127.0.0.1:8080' } }

function reasonsOf(frontend: object, backend: object): string[] {
  const { problems, setAside } = openAdmission({}).declare({
    listeners: LISTENERS,
    backends: { shop: backend },
    frontends: { shop: { backend: 'shop', ...frontend } },
  })
  assert.deepEqual(problems, [])
  return setAside.map(({ message }) => message)
}

const OLD = { servers: { s: 'http://127.0.0.1:1' } }
const GRPC_ROUTE = 'Host("a.example") && HeaderRegexp("Content-Type", "^application/grpc")'

test('a route for gRPC waits for servers that speak HTTP/2', () => {
  const how = 'declare them as h2c://, or the backend with protocol: h2'
  const refusal = `HTTP/2, and the servers of "shop" speak HTTP/1.1: ${how}`

  const routed = reasonsOf({ route: GRPC_ROUTE }, OLD)
  const translated = reasonsOf({ route: 'Host("a.example")', grpcWeb: {} }, OLD)

  assert.equal(routed.length, 1)
  assert.ok(routed[0]?.endsWith(`a route for application/grpc needs ${refusal}`))
  assert.ok(translated[0]?.endsWith(`grpcWeb needs ${refusal}`))
})

test('servers that may speak HTTP/2, and routes for other requests, are admitted', () => {
  const route = { route: GRPC_ROUTE }

  assert.deepEqual(reasonsOf(route, { servers: { s: 'h2c://127.0.0.1:1' } }), [])
  assert.deepEqual(reasonsOf(route, { ...OLD, protocol: 'h2' }), [])
  assert.deepEqual(
    reasonsOf(route, { protocol: 'auto', servers: { s: 'https://127.0.0.1:1' } }),
    [],
  )
  assert.deepEqual(
    reasonsOf(route, { servers: { s: { url: 'https://127.0.0.1:1', protocol: 'auto' } } }),
    [],
  )
  assert.deepEqual(reasonsOf(route, {}), [])
  assert.deepEqual(reasonsOf({ route: 'Host("a.example")' }, OLD), [])
})

test('a route is for gRPC if only calls can match it', () => {
  const routes = [
    'Header("content-type", "application/grpc")',
    'Header("Content-Type", "application/grpc+proto") && Path("/a")',
    'HeaderRegexp("content-type", "^application/grpc")',
    'Header("content-type", "application/grpc") || Header("content-type", "application/grpc+proto")',
  ]
  const others = [
    '!Header("content-type", "application/grpc")',
    'Header("content-type", "application/grpc") || Path("/a")',
    'Header("content-type", "application/grpc-web")',
    'Header("accept", "application/grpc")',
    'Host("a.example")',
    'Header("content-type", "application/grpc"',
  ]

  assert.deepEqual(routes.map(isGrpcRoute), [true, true, true, true])
  assert.deepEqual(
    others.map(isGrpcRoute),
    others.map(() => false),
  )
})
