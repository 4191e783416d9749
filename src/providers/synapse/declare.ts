/** What a service declares, by what is known of its instances: a listener, a backend, and its servers. Pure. */
import { isMap, type JsonMap } from '../../model/parsed.ts'
import { joinParts } from '../../model/names.ts'
import type { Problem } from '../../model/problem.ts'
import { toMemberId } from '../layouts/members/layout.ts'
import type { DeclaredObject } from '../provider.ts'
import { choose, type Choice } from './choose.ts'
import type { Watcher } from './discovery.ts'
import { createNotes, type ServerWords } from './haproxy/draft.ts'
import { readServerOptions } from './haproxy/server-options.ts'
import { placeOf, type Instance } from './instance.ts'
import type { ServedService, ServicePlan } from './plan.ts'

/** What is known of a place. */
export interface PlaceState {
  readonly instances: readonly Instance[]
  readonly config: JsonMap | null
}

export interface World {
  /** Null: it has not been read yet. */
  readonly stateOf: (place: string) => PlaceState | null
  /** Its registry or engine is away. */
  readonly isLost: (place: string) => boolean
  /** Of a watcher of a service, from before or from an earlier process. */
  readonly previousOf: (service: string, watcher: string) => readonly Instance[] | null
}

export interface DeclaredService {
  readonly objects: readonly DeclaredObject[]
  /** For `file_output`. */
  readonly instances: readonly Instance[]
  /** By watcher; the previous ones of the next time. */
  readonly known: ReadonlyMap<string, readonly Instance[]>
  readonly problems: readonly Problem[]
}

const MAX_WEIGHT = 1000

export function declareService(plan: ServicePlan, world: World): DeclaredService {
  const choices = plan.discovery.watchers.map((watcher) => ({
    watcher,
    choice: choiceOf(plan, watcher, world),
  }))
  const used = resolve(plan, choices, world)
  const instances = used.flatMap(({ choice }) => choice.instances)
  const expands = used.some(({ watcher }) => watcher.expands)
  const served = plan.serve(configOf(plan, world))
  const problems = used.flatMap(({ watcher, choice }): readonly Problem[] => {
    // Those that are listed are all that there are.
    const isFixed = watcher.places.length === 0 && choice.instances.length > 0
    if (choice.reason === null || isFixed) return []
    const name = used.length > 1 ? `${watcher.name}: ` : ''
    return [problemOf(plan, 'warning', name + choice.reason)]
  })
  return {
    objects: served === null ? [] : objectsOf(plan, served, instances, expands),
    instances,
    known: new Map(choices.map(({ watcher, choice }) => [watcher.name, choice.known])),
    problems,
  }
}

function problemOf({ name }: ServicePlan, level: 'warning', message: string): Problem {
  return { kind: 'backend', level, id: name, message, source: '', key: `services.${name}` }
}

interface Watched {
  readonly watcher: Watcher
  readonly choice: Choice
}

function choiceOf({ name, rules }: ServicePlan, watcher: Watcher, world: World): Choice {
  const states = watcher.places.flatMap((place) => world.stateOf(place) ?? [])
  const isKnown = watcher.places.length === 0 || states.length > 0 || watcher.fixed.length > 0
  const found = isKnown ? [...watcher.fixed, ...states.flatMap((one) => one.instances)] : null
  return choose({ ...rules, filters: watcher.filters }, found, world.previousOf(name, watcher.name))
}

/** Sequential: the first that is followed and finds something, else the first. */
function resolve(
  { discovery }: ServicePlan,
  choices: readonly Watched[],
  world: World,
): readonly Watched[] {
  if (discovery.resolver === 'union') return choices
  const isFollowed = ({ watcher }: Watched): boolean => !watcher.places.some(world.isLost)
  const first =
    choices.find((one) => isFollowed(one) && one.choice.isFound) ??
    choices.find(({ choice }) => choice.isFound) ??
    choices[0]
  return first === undefined ? [] : [first]
}

function configOf({ discovery }: ServicePlan, world: World): JsonMap | null {
  for (const { configPlace } of discovery.watchers) {
    const config = configPlace === null ? null : (world.stateOf(configPlace)?.config ?? null)
    if (config !== null && isMap(config['haproxy'])) return config['haproxy']
  }
  return null
}

function objectsOf(
  plan: ServicePlan,
  { listener, backend, address, translated }: ServedService,
  instances: readonly Instance[],
  expands: boolean,
): readonly DeclaredObject[] {
  const key = `services.${plan.name}`
  const servers = new Map<string, DeclaredObject>()
  for (const one of instances) {
    const url = `${translated.scheme}://${placeOf(one)}`
    // Names differ, but it is one server.
    if (servers.has(url)) continue
    const id = joinParts(
      backend,
      toMemberId(one.name === '' ? placeOf(one) : `${one.name}_${placeOf(one)}`),
    )
    const { words, remarks } = wordsOf(translated.words, one)
    const value = {
      url,
      ...weightOf(plan.usesWeights && one.weight !== null ? one.weight : words.weight),
      ...(words.disabled ? { drain: true } : {}),
      ...(words.backup ? { backup: true } : {}),
      ...(expands ? { resolve: 'all' } : {}),
    }
    servers.set(url, {
      kind: 'server',
      id,
      key,
      value,
      ...(remarks.length === 0 ? {} : { remarks }),
    })
  }
  const listeners: readonly DeclaredObject[] =
    address === null
      ? []
      : [
          {
            kind: 'listener',
            id: listener,
            key,
            value: { address, backend, ...translated.listener },
          },
        ]
  return [
    ...listeners,
    { kind: 'backend', id: backend, key, value: translated.backend },
    ...servers.values(),
  ]
}

/** Of one server: those of its own come after those of the service. */
function wordsOf(
  words: ServerWords,
  { haproxyOptions }: Instance,
): { readonly words: ServerWords; readonly remarks: readonly string[] } {
  if (haproxyOptions === '') return { words, remarks: [] }
  const notes = createNotes()
  const own = { ...words }
  readServerOptions(haproxyOptions, own, notes)
  const single: ReadonlySet<string> = new Set(['weight', 'backup', 'disabled'])
  const others = Object.entries(own).filter(
    ([word, value]) => !single.has(word) && value !== words[word as keyof ServerWords],
  )
  const remarks = others.length === 0 ? [] : [OWN_WORDS]
  return { words: own, remarks: [...remarks, ...notes.warnings] }
}

const OWN_WORDS =
  'haproxy_server_options: of one server there are weight, backup and disabled; the others are those of the service'

/** 0: no new requests. */
function weightOf(weight: number | null): JsonMap {
  if (weight === null || weight === 1) return {}
  return weight === 0 ? { drain: true } : { weight: Math.min(weight, MAX_WEIGHT) }
}
