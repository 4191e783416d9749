/**
 * Translates a service of Traefik to a backend, and each of its servers to an object of its own: an incomplete or invalid
 * server affects only itself, and the cost of a change does not depend on their number.
 */
import { quote } from '../../../model/parsed.ts'
import { splitOrigin } from '../server-origin.ts'
import { NotDeclared, TranslationError, type Translation } from '../translation.ts'
import { remarkUnknown, type Branch } from './branch.ts'
import { BALANCING, translateBalancing } from './load-balancer.ts'

/** Without its servers; a service may have no other keys. */
export function translateService(service: Branch): Translation {
  service.check()
  for (const type of service.names('')) {
    if (type !== 'loadbalancer') throw new TranslationError(`${quote(type)} is not supported yet`)
  }
  const others = service.names('loadbalancer').filter((name) => !BALANCING.includes(name))
  const remarks = remarkUnknown(others.map((name) => `loadbalancer/${name}`))
  return { value: translateBalancing(service, remarks), remarks }
}

/** Null: it gets no requests. */
export function translateServer(server: Branch): Translation | null {
  const text = server.text('url')
  if (text === null) throw new NotDeclared('url')
  server.check()
  const weight = server.whole('weight') ?? 1
  if (text === '') throw new TranslationError('url is empty')
  if (weight === 0) return null
  const { url, remark } = splitOrigin(text)
  const members = server.names('').filter((name) => name !== 'url' && name !== 'weight')
  const remarks = remarkUnknown(members)
  if (remark !== null) remarks.push(`url: ${remark}`)
  // Go's client offers HTTP/2 to servers with TLS, and to no others.
  const protocol = url.startsWith('https:') ? { protocol: 'auto' } : {}
  return { value: { url, weight, ...protocol }, remarks }
}
