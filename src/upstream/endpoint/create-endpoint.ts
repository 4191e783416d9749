import { wireOf } from '../connecting/connect-target.ts'
import { Endpoint } from './endpoint.ts'
import { Http2Endpoint } from './http2-endpoint.ts'
import { NegotiatedEndpoint } from './negotiated-endpoint.ts'
import { ProxiedEndpoint } from './proxied-endpoint.ts'

/** The endpoint of a server by what it speaks. */
export function createEndpoint(...given: ConstructorParameters<typeof Endpoint>): Endpoint {
  const [backend, server] = given
  switch (wireOf(backend, server)) {
    case 'h2':
      return new Http2Endpoint(...given)
    case 'auto':
      return new NegotiatedEndpoint(...given)
    case 'http/1.1':
      return backend.proxyProtocol === null ? new Endpoint(...given) : new ProxiedEndpoint(...given)
  }
}
