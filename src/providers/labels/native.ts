/**
 * Sluice's own labels. `sluice.host`, `sluice.port` and all others directly below `sluice.` describe one frontend and its
 * backend. `sluice.frontends.NAME.host` and so on describe a further one: with a port or an option of a backend it has a
 * backend of its own, otherwise it shares the first one. `sluice.listen` is a port of this machine for the backend.
 *
 * Values are texts. What options mean is left to admission, which takes a text as a number, a boolean or a list where it needs
 * one, so that every option of a file is an option of a label.
 */
import { quote } from '../../model/parsed.ts'
import { didYouMean } from '../../model/suggest.ts'
import { splitList } from '../../model/units.ts'
import { routeCall } from '../route-terms.ts'
import { fillDefaultRule } from './default-rule.ts'
import { define, toId, type Definition } from './definition.ts'
import type { Labelled, LabelRules, LabelSourceKind } from './labelled.ts'
import { growTree, valueOf, type LabelNode } from './label-tree.ts'
import { defineLocalPort } from './local-port.ts'
import { readScale } from './scale.ts'
import { defineServer, namesBelow } from './server.ts'

const PREFIX = 'sluice.'

/** Read by the source, or by `exposureOf`. */
const OF_INSTANCE = ['enable', 'name', 'network', 'frontends']
const OF_ROUTE = ['host', 'path', 'rule', 'listeners']
const OF_SERVER = ['port', 'scheme', 'weight', 'backup']
/** Members of a backend as a file has them, except for its servers; the labels that a frontend has, too, are the frontend's. */
export const OF_BACKEND: readonly string[] = [
  ...['balance', 'hash', 'sticky', 'timeouts', 'limits', 'tls', 'health', 'ejection', 'panic'],
  ...['slowStart', 'retry', 'resolve', 'proxyProtocol', 'protocol', 'http2', 'keepAlive'],
  'scale',
]
/** Members of a frontend as a file has them, except for its route, its backend, and what is the backend's here. */
export const OF_FRONTEND: readonly string[] = [
  ...[
    'protocol',
    'priority',
    'passHost',
    'paths',
    'grpcWeb',
    'ratelimit',
    'clientcert',
    'connlimit',
    'bodylimit',
    'inflight',
  ],
  ...['adaptive', 'breaker', 'headers', 'rewrite', 'forwarded', 'respond', 'redirect'],
  ...['trace', 'middlewares', 'labels'],
]
/** Members of a frontend that keep nothing from its backend. */
const UNGUARDED = ['protocol', 'priority', 'passHost', 'paths', 'labels']
const OF_GROUP = ['backend', 'listen', ...OF_ROUTE, ...OF_SERVER, ...OF_BACKEND, ...OF_FRONTEND]
const KNOWN = [...OF_INSTANCE, ...OF_GROUP]
const LEAVES = ['enable', 'name', 'network', 'backend', 'listen', ...OF_ROUTE, ...OF_SERVER]

/** What servers speak; other protocols are those of the frontend. */
const SERVER_PROTOCOLS: readonly string[] = ['http/1.1', 'h2', 'auto']

/** Sections for which `true` is the section with its defaults, and `false` is no such section. */
const SWITCHED = new Set(['sticky', 'health'])
const MAX_FRONTENDS = 100

/** Besides the switch and the network, which are for all languages of labels. */
export function hasNativeLabels(labels: ReadonlyMap<string, string>): boolean {
  for (const name of labels.keys()) {
    if (name.startsWith(PREFIX) && !['sluice.enable', 'sluice.network'].includes(name)) return true
  }
  return false
}

export function readNativeLabels(
  item: Labelled,
  rules: LabelRules & { readonly kind: LabelSourceKind },
): readonly Definition[] {
  const { root, faults } = growTree(item.labels, PREFIX)
  const base = root.members.get('name')?.text || item.service
  const first: Group = { node: root, name: base, faults: [...faults, ...unknownOf(root, KNOWN)] }
  const named = [...(root.members.get('frontends')?.members ?? [])].map(([name, node]): Group => {
    return { node, name: `${base}-${name}`, faults: unknownOf(node, OF_GROUP) }
  })
  if (named.length > MAX_FRONTENDS) {
    first.faults.push(`has ${named.length} frontends, at most ${MAX_FRONTENDS} are read`)
    named.length = MAX_FRONTENDS
  }

  // The first frontend needs no label if there is no other.
  const isAlone = named.length === 0
  const hasFirst = !isPortAlone(first) && (isAlone || isFrontend(first))
  const usesFirst = (group: Group): boolean => !hasBackend(group) && !respondsItself(group.node)
  const isFirstUsed =
    hasBackend(first) ||
    [...(hasFirst || opensPort(first) ? [first] : []), ...named].some(usesFirst)
  return [
    ...(hasFirst ? readFirst(item, first, isAlone ? rules.defaultRule : null) : []),
    ...named.flatMap((group) => {
      if (isPortAlone(group)) return []
      const route = isRouted(group) ? readRoute(group) : demandRoute(group)
      return [readFrontend(item, group, backendOf(hasBackend(group) ? group : first), route)]
    }),
    ...[first, ...named].filter(opensPort).map((group) => {
      return readPort(item, group, backendOf(hasBackend(group) ? group : first), rules)
    }),
    ...[...(isFirstUsed ? [first] : []), ...named.filter(hasBackend)].flatMap((group) =>
      readBackend(item, group.node, backendOf(group)),
    ),
  ]
}

interface Group {
  readonly node: LabelNode
  /** Of its frontend, and of its backend unless a label names another. */
  readonly name: string
  /** Of the frontend, also for labels that do not exist: one of them may be its host or a limit, misspelled. */
  readonly faults: string[]
}

function isFrontend({ node, faults }: Group): boolean {
  return (
    faults.length > 0 || [...OF_ROUTE, ...OF_FRONTEND].some((name) => has(node, name, 'frontend'))
  )
}

/** It writes something of a backend or its server, so it has a backend of its own. */
function hasBackend({ node }: Group): boolean {
  return ['backend', ...OF_SERVER, ...OF_BACKEND].some((name) => has(node, name, 'backend'))
}

/** The label `protocol` is of either, by its value. */
function has(node: LabelNode, name: string, of: 'frontend' | 'backend'): boolean {
  if (!node.members.has(name)) return false
  if (name !== 'protocol') return true
  return SERVER_PROTOCOLS.includes(textOf(node, name) ?? '') === (of === 'backend')
}

function opensPort({ node }: Group): boolean {
  return node.members.has('listen')
}

/** It has a port, and nothing of a frontend. */
function isPortAlone(group: Group): boolean {
  if (!opensPort(group) || isRouted(group) || group.faults.length > 0) return false
  return OF_FRONTEND.every((name) => name === 'protocol' || !group.node.members.has(name))
}

/** Requests of the port pass by the frontend, so it must not have what guards its backend. */
function readPort(
  { key }: Labelled,
  { node, faults }: Group,
  backend: string,
  rules: LabelRules & { readonly kind: LabelSourceKind },
): Definition {
  const guards = OF_FRONTEND.filter((name) => node.members.has(name) && !UNGUARDED.includes(name))
  const label = `${node.label}.listen`
  const leads = `label ${quote(label)} leads past ${guards.map((name) => `${node.label}.${name}`).join(', ')}: write it below sluice.frontends.NAME`
  return defineLocalPort(
    {
      ...{ key, label, text: textOf(node, 'listen') ?? '', backend: toId(backend) },
      isStream: textOf(node, 'protocol') === 'tcp',
      faults: guards.length === 0 ? faults : [...faults, leads],
    },
    rules,
  )
}

function backendOf({ node, name }: Group): string {
  return textOf(node, 'backend') || name
}

function isRouted({ node }: Group): boolean {
  return OF_ROUTE.some((name) => node.members.has(name))
}

/** Without any label of a frontend an instance has a backend, and a frontend by the default rule. */
function readFirst(
  item: Labelled,
  group: Group,
  defaultRule: string | null,
): readonly Definition[] {
  const backend = backendOf(group)
  if (isRouted(group)) return [readFrontend(item, group, backend, readRoute(group))]
  if (defaultRule !== null && !isStream(group.node)) {
    return [readFrontend(item, group, backend, fillDefaultRule(defaultRule, item.service))]
  }
  return isFrontend(group) ? [readFrontend(item, group, backend, demandRoute(group))] : []
}

function demandRoute({ node: { label }, faults }: Group): string {
  if (faults.length === 0) {
    faults.push(`has no route: write ${label}.host, ${label}.path or ${label}.rule`)
  }
  return ''
}

function readFrontend(
  { key }: Labelled,
  { node, name, faults }: Group,
  backend: string,
  route: string,
): Definition {
  const options = membersOf(node, OF_FRONTEND, 'frontend')
  const target = respondsItself(node) ? {} : { backend: toId(backend) }
  return define({
    kind: 'frontend',
    name,
    key,
    value: { route, ...target, ...options.value },
    references: options.references,
    faults: [...faults, ...options.faults],
  })
}

/** All of them have to hold. */
function readRoute({ node, faults }: Group): string {
  const rule = leafOf(node, 'rule', faults)
  const terms = [
    ...callOf(isStream(node) ? 'HostSNI' : 'Host', leafOf(node, 'host', faults)),
    ...callOf('PathPrefix', leafOf(node, 'path', faults)),
  ]
  const listeners = splitList(leafOf(node, 'listeners', faults) ?? '')
  const any = listeners.map((id) => routeCall('Listener', [id])).join(' || ')
  if (any !== '') terms.push(listeners.length === 1 ? any : `(${any})`)
  if (rule === null) return terms.join(' && ')
  return terms.length === 0 ? rule : [...terms, `(${rule})`].join(' && ')
}

/** `Host("a", "b")` of a list with commas. */
function callOf(name: string, list: string | null): readonly string[] {
  const values = splitList(list ?? '')
  return values.length === 0 ? [] : [routeCall(name, values)]
}

/** A text that must not be empty; null: there is no such label. */
function leafOf(node: LabelNode, name: string, faults: string[]): string | null {
  const leaf = node.members.get(name)
  if (leaf === undefined) return null
  if (splitList(leaf.text ?? '').length === 0) faults.push(`label ${quote(leaf.label)} is empty`)
  return leaf.text ?? ''
}

function readBackend(item: Labelled, node: LabelNode, name: string): readonly Definition[] {
  const { key } = item
  const options = membersOf(node, OF_BACKEND, 'backend')
  const { references, faults } = options
  const isFirst = `${node.label}.` === PREFIX
  const { scale, remarks } = readScale(options.value['scale'], item, isFirst)
  const value = scale === undefined ? options.value : { ...options.value, scale }
  const isDefault = Object.keys(value).length === 0
  // `shop@file` is the backend of another source, which declares it.
  const isForeign = name.includes('@') && isDefault
  return [
    ...(isForeign
      ? []
      : [define({ kind: 'backend', name, key, value, references, faults, isDefault, remarks })]),
    ...defineServer(item, name, {
      port: textOf(node, 'port'),
      scheme: textOf(node, 'scheme') ?? (isStream(node) ? 'tcp' : null),
      weight: textOf(node, 'weight'),
      backup: textOf(node, 'backup'),
      names: namesBelow(node.label),
    }),
  ]
}

interface Members {
  readonly value: Readonly<Record<string, unknown>>
  readonly references: Definition['object']['references'] & object
  readonly faults: readonly string[]
}

function membersOf(node: LabelNode, names: readonly string[], of: 'frontend' | 'backend'): Members {
  const found = names.flatMap((name) => {
    const member = node.members.get(name)
    if (member === undefined || !has(node, name, of)) return []
    const isSwitch = SWITCHED.has(name) && member.members.size === 0
    if (isSwitch && member.text === 'false') return []
    if (isSwitch && member.text === 'true') return [{ name, value: {}, references: [], faults: [] }]
    return [{ name, ...valueOf(member, [name]) }]
  })
  return {
    value: Object.fromEntries(found.map(({ name, value }) => [name, value])),
    references: found.flatMap(({ references }) => references),
    faults: found.flatMap(({ faults }) => faults),
  }
}

/** Its middleware responds to every request, so that it has no backend. */
function respondsItself(node: LabelNode): boolean {
  return node.members.has('respond') || node.members.get('redirect')?.members.has('to') === true
}

/** Its frontend routes connections. */
function isStream(node: LabelNode): boolean {
  return textOf(node, 'protocol') === 'tcp'
}

function textOf(node: LabelNode, name: string): string | null {
  return node.members.get(name)?.text ?? null
}

function unknownOf(node: LabelNode, known: readonly string[]): string[] {
  return [...node.members.values()].flatMap((member) => {
    const { label, members, text } = member
    const name = label.slice(node.label.length + 1)
    if (!known.includes(name)) {
      const hint = didYouMean(name, known).replace('"', `"${node.label}.`)
      return [`label ${quote(label)} is not known${hint}`]
    }
    const [below] = LEAVES.includes(name) ? members.values() : []
    if (below !== undefined) return [`label ${quote(below.label)} is not known`]
    return name === 'frontends' && text !== null
      ? [`label ${quote(label)} needs a name below it`]
      : []
  })
}
