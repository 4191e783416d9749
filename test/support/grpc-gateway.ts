/** A gateway in front of servers of gRPC. */
import type { TestContext } from 'node:test'
import { startGateway, type TestGateway } from './gateway.ts'
import { type GrpcOrigin, startGrpcOrigin } from './grpc.ts'

export async function startWithGrpc(
  t: TestContext,
  {
    origins: count = 1,
    backend = {},
    frontend = {},
  }: { readonly origins?: number; readonly backend?: object; readonly frontend?: object } = {},
): Promise<{ readonly origins: readonly GrpcOrigin[]; readonly gateway: TestGateway }> {
  const origins = await Promise.all(Array.from({ length: count }, () => startGrpcOrigin(t)))
  const servers = Object.fromEntries(
    origins.map(({ port }, at) => [`s${at}`, `h2c://127.0.0.1:${port}`]),
  )
  const gateway = await startGateway(t, {
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: { echo: { servers, ...backend } },
    frontends: { echo: { route: 'PathPrefix("/test.Echo/")', backend: 'echo', ...frontend } },
  })
  return { origins, gateway }
}
