/** Services that would be registered as one. */
import { registrarKindOf } from '../registrar/catalog.ts'
import type { ServiceSpec } from '../spec/agent-spec.ts'

export interface Clash {
  readonly service: ServiceSpec
  /** An earlier one. */
  readonly other: ServiceSpec
}

/** What the service is written under in its registry. */
export function keyOf({ registry, registration }: ServiceSpec): string {
  return registrarKindOf(registry).keyOf(registry, registration)
}

/** Those with the backend and id of an earlier one in the same registry, or with its key. */
export function findClashes(services: readonly ServiceSpec[]): readonly Clash[] {
  const seen = new Map<string, ServiceSpec>()
  return services.flatMap((service) => {
    const { registry, registration } = service
    const names = [
      JSON.stringify([registry.name, registration.service, registration.id]),
      JSON.stringify([registry.name, keyOf(service)]),
    ]
    const other = names.map((name) => seen.get(name)).find((one) => one !== undefined)
    for (const name of names) seen.set(name, service)
    return other === undefined ? [] : [{ service, other }]
  })
}
