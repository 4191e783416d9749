/** Translates a TCP service of Traefik to a backend, and each of its servers to an object of its own. */
import { quote } from '../../../model/parsed.ts'
import { NotDeclared, TranslationError, type Translation } from '../translation.ts'
import { remarkUnknown, type Branch } from './branch.ts'
import { timesOf } from './load-balancer.ts'

const BALANCER = 'loadbalancer'
const HEALTH = `${BALANCER}/healthcheck`
const PROXY = `${BALANCER}/proxyprotocol`

/** Without its servers; a service may have no other keys. */
export function translateStreamService(service: Branch): Translation {
  service.check()
  for (const type of service.names('')) {
    if (type !== BALANCER) throw new TranslationError(`${quote(type)} is not supported for tcp`)
  }
  const others = service
    .names(BALANCER)
    .filter((name) => !['', 'proxyprotocol', 'healthcheck'].includes(name))
  const remarks = remarkUnknown(others.map((name) => `${BALANCER}/${name}`))
  return { value: { ...readProxyProtocol(service), ...readHealth(service, remarks) }, remarks }
}

/** A server that expects the header fails without it, so a wrong version is a fault. */
function readProxyProtocol(service: Branch): object {
  if (service.below(PROXY).length === 0 && service.text(PROXY) === null) return {}
  const version = service.whole(`${PROXY}/version`) ?? 2
  if (version !== 1 && version !== 2)
    throw new TranslationError(`${PROXY}/version: must be 1 or 2, not ${version}`)
  return { proxyProtocol: `v${version}` }
}

function readHealth(service: Branch, remarks: string[]): object {
  if (service.below(HEALTH).length === 0 && service.text(HEALTH) === null) return {}
  const unread = service
    .names(HEALTH)
    .filter((name) => !['', 'interval', 'unhealthyinterval', 'timeout', 'port'].includes(name))
  remarks.push(...remarkUnknown(unread.map((name) => `${HEALTH}/${name}`)))
  return { health: { kind: 'tcp', ...timesOf(service, remarks) } }
}

export function translateStreamServer(server: Branch): Translation {
  const address = server.text('address')
  if (address === null) throw new NotDeclared('address')
  server.check()
  if (address === '') throw new TranslationError('address is empty')
  const members = server.names('').filter((name) => name !== 'address' && name !== 'tls')
  const scheme = server.flag('tls') ? 'tls' : 'tcp'
  return { value: { url: `${scheme}://${address}` }, remarks: remarkUnknown(members) }
}
