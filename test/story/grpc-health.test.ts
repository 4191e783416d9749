// Health checks of gRPC (grpc.health.v1) at servers with TLS: who is not SERVING gets no calls, and the report says why.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { ServerReport } from '../../src/observe/reports/health-report.ts'
import { createAuthority } from '../support/certificates.ts'
import { openGrpcClient, startGrpcOrigin, type GrpcOrigin } from '../support/grpc.ts'
import { choosePort } from '../support/ports.ts'
import { startProgram, type Program } from '../support/program.ts'
import { eventually } from '../support/until.ts'

const PATIENCE_MS = 30_000
const SERVICE = 'test.Echo'

async function startProbed(
  t: TestContext,
  backend: object,
): Promise<{ readonly program: Program; readonly origins: readonly [GrpcOrigin, GrpcOrigin] }> {
  const authority = createAuthority(t)
  const { cert, key } = authority.issue('127.0.0.1')
  const start = (): Promise<GrpcOrigin> => startGrpcOrigin(t, { tls: { cert, key } })
  const origins = [await start(), await start()] as const
  for (const { health } of origins) health.set(SERVICE, 1)
  const [one, two] = origins.map(({ port }) => `https://127.0.0.1:${port}`)
  const program = await startProgram(t, {
    workers: 1,
    listeners: { web: { address: `127.0.0.1:${await choosePort()}` } },
    backends: {
      echo: {
        servers: { one, two },
        tls: { ca: authority.certPath },
        health: { grpc: { service: SERVICE }, interval: '500ms', rise: 1, fall: 2 },
        ...backend,
      },
    },
    frontends: { echo: { route: `PathPrefix("/${SERVICE}/")`, backend: 'echo' } },
  })
  return { program, origins }
}

async function reportOf(program: Program, id: string): Promise<ServerReport | undefined> {
  const { text } = await program.ask('/api/servers?backend=echo')
  return (JSON.parse(text) as readonly ServerReport[]).find((one) => one.id === id)
}

function isIn(program: Program, id: string, state: ServerReport['state']): Promise<unknown> {
  const look = async (): Promise<boolean> => (await reportOf(program, id))?.state === state
  return eventually(look, `${id} is ${state}`, PATIENCE_MS)
}

for (const protocol of ['h2', 'auto']) {
  test(`a service that is not SERVING over TLS gets no calls until it is again (${protocol})`, async (t) => {
    const { program, origins } = await startProbed(t, { protocol })
    const [one, two] = origins
    const client = openGrpcClient(t, program.port)
    const codes = async (): Promise<ReadonlySet<number>> => {
      const results = await Promise.all(Array.from({ length: 10 }, () => client.unary('x')))
      return new Set(results.map(({ code }) => code))
    }
    await isIn(program, 'one', 'up')
    await isIn(program, 'two', 'up')

    one.health.set(SERVICE, 2)
    await isIn(program, 'one', 'down')
    const { reason } = (await reportOf(program, 'one')) ?? {}
    const before = one.calls.length
    const while1 = await codes()
    const during = one.calls.length
    one.health.set(SERVICE, 1)
    await isIn(program, 'one', 'up')
    two.health.delete(SERVICE)
    await isIn(program, 'two', 'down')
    const unknown = await reportOf(program, 'two')
    const while2 = await codes()

    assert.deepEqual([...while1, ...while2], [0, 0])
    assert.equal(during, before)
    assert.equal(one.calls.length, during + 10)
    assert.match(reason ?? '', /the service "test\.Echo" is NOT_SERVING/)
    assert.match(unknown?.reason ?? '', /does not know the service "test\.Echo"/)
  })
}

test('a server whose certificate is not trusted is down, and the report says so', async (t) => {
  const stranger = createAuthority(t)
  const { program } = await startProbed(t, { protocol: 'h2', tls: { ca: stranger.certPath } })

  await isIn(program, 'one', 'down')
  const report = await reportOf(program, 'one')
  const { code, details } = await openGrpcClient(t, program.port).unary('x')

  assert.match(report?.reason ?? '', /cannot connect to .*(certificate|issuer)/)
  assert.equal(code, 14)
  assert.match(details, /\((CERTIFICATE_REFUSED|NO_SERVER)\)/)
})
