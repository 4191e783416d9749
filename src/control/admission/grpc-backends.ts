/** Frontends that only gRPC can use need servers that speak HTTP/2. */
import { speaksHttp1 } from '../../model/server-url.ts'
import { flaw, type Flaw } from '../../model/parsed.ts'
import type { Backend, Frontend } from '../../model/snapshot.ts'
import { isGrpcRoute } from '../../routing/grpc-route.ts'

/** `find`: a backend in force, by its name in the table. */
export function refuseHttp1Servers(
  { protocol, route, middlewares, backend: id }: Frontend,
  find: (id: string) => Backend | undefined,
): readonly Flaw[] {
  const backend = id === null ? undefined : find(id)
  if (backend === undefined || protocol === 'tcp' || !isHttp1Only(backend)) return []
  const translates = middlewares.some(({ kind }) => kind === 'grpcWeb')
  if (!translates && !isGrpcRoute(route)) return []
  const how = 'declare them as h2c://, or the backend with protocol: h2'
  const why = translates ? 'grpcWeb needs' : 'a route for application/grpc needs'
  return [flaw(['backend'], `${why} HTTP/2, and the servers of "${id}" speak HTTP/1.1: ${how}`)]
}

function isHttp1Only({ protocol, servers }: Backend): boolean {
  return servers.length > 0 && servers.every((server) => speaksHttp1(server, protocol))
}
