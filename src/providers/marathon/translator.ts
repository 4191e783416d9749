/** Apps to objects. What an app declares is kept while neither it nor the choice of its tasks changes. */
import { bracketHost } from '../../model/address.ts'
import { createNameMap } from '../../model/name-map.ts'
import type { Problem } from '../../model/problem.ts'
import { define, problemAt } from '../labels/definition.ts'
import { createLabelReader } from '../labels/label-reader.ts'
import type { Labelled, LabelRules } from '../labels/labelled.ts'
import type { Listed } from '../listing/object-mirror.ts'
import type { DeclaredObject } from '../provider.ts'
import type { AppFault, MarathonApp } from './app.ts'
import { mergeColours } from './blue-green.ts'
import {
  appKey,
  defineBackend,
  defineRoutes,
  portRoutes,
  serviceName,
  type Service,
} from './haproxy.ts'
import { readHaproxyLabels, type AppLabels } from './haproxy-labels.ts'
import { hasReadLabels, labelledTasks } from './labelled-tasks.ts'
import { createReadiness } from './readiness.ts'
import { definePorts, type PortRoute } from './service-ports.ts'
import { addressByIndex } from './task-address.ts'

export interface TranslatorOptions {
  readonly labels: LabelRules
  /** Apps in one of these are read as marathon-lb reads them; `*`: in any group. */
  readonly groups: readonly string[]
  /** Where each app is offered on its service ports; null: nowhere. */
  readonly servicePorts: string | null
  /** What apps speak that name neither a mode nor a host. */
  readonly serviceMode: 'http' | 'tcp'
  /** The beginning of the names of listeners. */
  readonly source: string
  /** ms since the epoch. */
  readonly date?: () => number
}

export interface Translator {
  /** `apps`: each the same object while nothing of it has changed. */
  translate(apps: readonly MarathonApp[], faults: readonly AppFault[]): Listed
}

/** What one app declares. */
interface AppObjects {
  /** Ids of the tasks that get requests, for which this holds. */
  readonly serving: string
  readonly objects: readonly DeclaredObject[]
  readonly ports: readonly PortRoute[]
  readonly labelled: readonly Labelled[]
  readonly problems: readonly Problem[]
}

const NOTHING = { objects: [], ports: [], labelled: [], problems: [] }

export function createTranslator(options: TranslatorOptions): Translator {
  const { labels, groups, servicePorts, serviceMode, source } = options
  const readiness = createReadiness(options.date ?? Date.now)
  const reader = createLabelReader({ ...labels, kind: 'marathon' })
  const isAny = groups.includes('*')
  const known = new WeakMap<MarathonApp, AppObjects>()

  function declare(app: MarathonApp, isServing: (id: string) => boolean): AppObjects {
    const ids = app.tasks.filter(({ id }) => isServing(id)).map(({ id }) => id)
    const serving = ids.join('\n')
    const before = known.get(app)
    if (before?.serving === serving) return before
    const made = { ...declareApp(app, new Set(ids)), serving }
    known.set(app, made)
    return made
  }

  function declareApp(app: MarathonApp, serving: ReadonlySet<string>): Omit<AppObjects, 'serving'> {
    if (labels.constraint?.(app.labels) === false) return NOTHING
    const found = readHaproxyLabels(app.labels, app.ports.length)
    const services = app.ports.flatMap(({ servicePort }, index): readonly Service[] => {
      const port = found.ports[index]
      if (port === undefined || !port.isEnabled) return []
      // As in marathon-lb, where an app with a host is http.
      const mode = port.mode ?? (port.hosts.length > 0 ? 'http' : serviceMode)
      return [{ app, index, port: port.port ?? servicePort, labels: port, mode }]
    })
    const routed = services.filter((service) => isGrouped(service, found))
    const offered = servicePorts === null ? [] : services
    const declared = services.filter((one) => routed.includes(one) || offered.includes(one))
    const isRead = labels.exposedByDefault || labels.defaultRule !== null || hasReadLabels(app)
    return {
      objects: declared.flatMap((service) => [
        defineBackend(service, remarksOf(service, routed.includes(service))),
        ...defineServers(service, serving),
        ...(routed.includes(service) ? defineRoutes(service) : []),
      ]),
      ports: offered.flatMap(portRoutes),
      labelled: isRead ? labelledTasks(app, ({ id }) => serving.has(id)) : [],
      problems: problemsOf(app, found, declared.length > 0),
    }
  }

  function isGrouped({ labels: port }: Service, app: AppLabels): boolean {
    const own = port.groups ?? app.groups
    return isAny || own.some((group) => groups.includes(group))
  }

  /** What its labels ask for and it does not get. */
  function remarksOf(service: Service, isRouted: boolean): readonly string[] {
    const { labels: port, index, mode } = service
    const remarks = [...port.remarks]
    const isStream = mode === 'tcp'
    if (!isStream && mode !== 'http') remarks.push(`HAPROXY_${index}_MODE: it is http or tcp`)
    if (servicePorts === null) {
      if (isStream) remarks.push('is tcp, which needs a service port, and servicePorts is not set')
      else if (isRouted && port.hosts.length === 0)
        remarks.push(`has no route: it has no HAPROXY_${index}_VHOST, and servicePorts is not set`)
    } else {
      const left = isStream ? [...port.bind, ...port.closed] : port.bind
      if (left.length > 0)
        remarks.push(`its service port is not opened: ${left.join(', ')} cannot be honoured`)
    }
    return remarks
  }

  /** With the labels that are of no port. */
  function problemsOf(app: MarathonApp, found: AppLabels, isDeclared: boolean): readonly Problem[] {
    const key = appKey(app.id)
    const messages = isDeclared ? [...app.faults, ...found.remarks] : app.faults
    const problems = messages.map((message) => problemAt(key, message, 'warning'))
    const isHidden = !isAny && found.groups.length === 0
    const host = found.ports.findIndex((port) => port.hosts.length > 0 && port.groups === null)
    if (isHidden && host !== -1) {
      const message = `has HAPROXY_${host}_VHOST, but no HAPROXY_GROUP, so that it has no route`
      problems.push(problemAt(key, message, 'hint'))
    }
    return problems
  }

  return {
    translate(apps, faults) {
      const serving = new Set<string>()
      let taskCount = 0
      for (const app of apps) {
        taskCount += app.tasks.length
        for (const task of app.tasks) if (readiness.isServing(app, task)) serving.add(task.id)
      }
      readiness.retain(apps, taskCount)
      const colours = mergeColours(apps, serving)
      const isServing = (id: string): boolean => serving.has(id) && !colours.drained.has(id)
      const declared = colours.apps.map((app) => declare(app, isServing))
      const read = reader.read(declared.flatMap(({ labelled }) => labelled))
      const ports = declared.flatMap((one) => one.ports)
      const problems = [
        ...faults.map(({ id, message }) => problemAt(id === null ? 'apps' : appKey(id), message)),
        ...declared.flatMap((one) => one.problems),
        ...read.problems,
      ]
      const objects = unique(
        [
          declared.flatMap((one) => one.objects),
          servicePorts === null ? [] : definePorts(ports, servicePorts, source),
          read.objects,
        ].flat(),
        problems,
      )
      return { objects, problems: distinct(problems) }
    },
  }
}

function defineServers(service: Service, serving: ReadonlySet<string>): readonly DeclaredObject[] {
  const { app, index } = service
  const key = appKey(app.id)
  const name = serviceName(service)
  return app.tasks.flatMap((task) => {
    if (!serving.has(task.id)) return []
    const reached = addressByIndex(app, task, index)
    const value =
      'reason' in reached
        ? undefined
        : { url: `http://${bracketHost(reached.host)}:${reached.port}` }
    const faults = 'reason' in reached ? [reached.reason] : []
    return [define({ kind: 'server', name, part: task.id, key, value, faults }).object]
  })
}

/** Of two objects with one name the first. */
function unique(
  objects: readonly DeclaredObject[],
  problems: Problem[],
): readonly DeclaredObject[] {
  const found = createNameMap<DeclaredObject>()
  for (const object of objects) {
    const first = found.get(object)
    if (first === undefined) {
      found.set(object, object)
      continue
    }
    const { kind, id, key } = object
    const message = `has the same name as that of ${first.key}, which is in force`
    problems.push({ ...problemAt(key, message), kind, id })
  }
  return found.values()
}

const MAX_PROBLEMS = 200

/** Each task of an app would repeat what is wrong with its labels. */
function distinct(problems: readonly Problem[]): readonly Problem[] {
  const found = new Map(problems.map((one) => [`${one.key} ${one.id} ${one.message}`, one]))
  return [...found.values()].slice(0, MAX_PROBLEMS)
}
