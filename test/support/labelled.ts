/** Instances with labels for tests, and what of their declarations comes into force. */
import { createLabelReader } from '../../src/providers/labels/label-reader.ts'
import type { Labelled, LabelRules, LabelSourceKind } from '../../src/providers/labels/labelled.ts'
import type { DeclaredObject } from '../../src/providers/provider.ts'
import type { Problem } from '../../src/model/problem.ts'
import { RoutingTable } from '../../src/routing/table.ts'
import { openAdmission, type Admitted } from './declared.ts'

export type Labels = Readonly<Record<string, string>>

/** The first container of `web` in the project `shop`, on port 8080 of 10.0.0.1. */
export function container(labels: Labels, about: Partial<Labelled> = {}): Labelled {
  const id = about.id ?? 'shop-web-1'
  return {
    id,
    key: `container ${id}`,
    service: 'web-shop',
    labels: new Map(Object.entries(labels)),
    ports: [8080],
    address: (port) => ({ host: '10.0.0.1', port }),
    isServing: true,
    createdAt: 0,
    ...about,
  }
}

/** Containers 1 to `count` of `web`, each with an address of its own. */
export function replicas(count: number, labels: Labels): Labelled[] {
  return Array.from({ length: count }, (_, at) =>
    container(labels, {
      id: `shop-web-${at + 1}`,
      createdAt: at,
      address: (port) => ({ host: `10.0.0.${at + 1}`, port }),
    }),
  )
}

export interface LabelledObjects {
  readonly objects: readonly DeclaredObject[]
  readonly problems: readonly Problem[]
}

export function readLabels(
  items: Iterable<Labelled>,
  rules: Partial<LabelRules & { kind: LabelSourceKind }> = {},
): LabelledObjects {
  const normal = {
    exposedByDefault: false,
    constraint: null,
    defaultRule: null,
    listen: null,
    virtualHost: false,
  }
  return createLabelReader({ kind: 'docker', ...normal, ...rules }).read(items)
}

/** By kind and id: `frontend web-shop`. */
export function valuesOf({ objects }: LabelledObjects): Record<string, unknown> {
  return Object.fromEntries(
    objects.map(({ kind, id, value, fault }) => [
      `${kind} ${id}`,
      fault === undefined ? value : { fault },
    ]),
  )
}

/** What admission makes of it. */
export function admit({ objects }: LabelledObjects): Admitted {
  const admission = openAdmission({}, ['docker'])
  const sections: Record<string, Record<string, unknown>> = {}
  for (const { kind, id, value } of objects) (sections[`${kind}s`] ??= {})[id] = value
  const byName = new Map(objects.map((object) => [`${object.kind} ${object.id}`, object]))
  return admission.declare(sections, 'r1', 'docker', (plain) => {
    return byName.get(`${plain.kind} ${plain.id}`) ?? plain
  })
}

/** `frontend web-shop: why`, of what is set aside, sorted. */
export function setAsideOf(labelled: LabelledObjects): readonly string[] {
  const lines = admit(labelled).setAside.map(({ kind, id, message }) => `${kind} ${id}: ${message}`)
  return lines.sort()
}

/** Labels as a list of a compose file has them: `name=value`. */
export function labelsOf(list: readonly string[]): Labels {
  return Object.fromEntries(
    list.map((one) => {
      const at = one.indexOf('=')
      return at === -1 ? [one, ''] : [one.slice(0, at), one.slice(at + 1)]
    }),
  )
}

/** Where the frontends in force send requests: `GET whoami.localhost/ web` to the backend, a status, or nothing. */
export function openRoutes({ snapshot }: Admitted): (request: string, clientIp?: string) => string {
  const table = new RoutingTable<string>()
  for (const [id, { route, priority, backend, middlewares }] of snapshot.frontends) {
    const { options } = middlewares.find(({ kind }) => kind === 'respond') ?? { options: null }
    const { status } = (options ?? {}) as { status?: number }
    table.upsert(id, route, priority, status === undefined ? String(backend) : String(status))
  }
  return (request, clientIp = '10.0.0.1') => {
    const [method = '', url = '', listener = 'web'] = request.split(' ')
    const [, host = '', path = '/', query = ''] = /^([^/]*)(\/[^?]*)?(?:\?(.*))?$/.exec(url) ?? []
    const fieldHolds = (_name: string, test: (value: string) => boolean): boolean => test('')
    return table.match({ method, host, path, query, listener, clientIp, fieldHolds }) ?? '404'
  }
}
