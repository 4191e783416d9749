/** Where a port of a task is reached, by the network of its app. */
import type { Reached } from '../labels/labelled.ts'
import type { MarathonApp, MarathonTask } from './app.ts'

/** The port with this index, in the order of the app. */
export function addressByIndex(app: MarathonApp, task: MarathonTask, index: number): Reached {
  const host = hostOf(app, task)
  if (host === null) return { reason: noHost(app, task) }
  const definition = app.ports[index]
  // At the task's own address it serves on the ports of its container, elsewhere on those that the agent gave it.
  const port =
    app.network === 'container'
      ? (definition?.containerPort ?? task.ports[index])
      : task.ports[index]
  if (port !== undefined && port !== 0) return { host, port }
  const fixed = definition?.containerPort ?? definition?.servicePort ?? null
  // With no ports at all it has those of the definition, because its app asked for none of the agent's.
  if (task.ports.length === 0 && app.network === 'host' && fixed !== null)
    return { host, port: fixed }
  return { reason: `task ${task.id} has no port with index ${index}` }
}

/**
 * A port as labels name it: of the container, a service port, or one of the task. Any other is a port that the app does not
 * declare, at the same host.
 */
export function addressByPort(app: MarathonApp, task: MarathonTask, port: number): Reached {
  const index = indexOfPort(app, task, port)
  if (index !== -1) return addressByIndex(app, task, index)
  const host = hostOf(app, task)
  return host === null ? { reason: noHost(app, task) } : { host, port }
}

function indexOfPort({ ports }: MarathonApp, task: MarathonTask, port: number): number {
  const byContainer = ports.findIndex(({ containerPort }) => containerPort === port)
  if (byContainer !== -1) return byContainer
  const byService = ports.findIndex(({ servicePort }) => servicePort === port)
  return byService === -1 ? task.ports.indexOf(port) : byService
}

/** For each index a number that is the same for all tasks, if there is one: how labels and `ports` name the port. */
export function portNames(app: MarathonApp, task: MarathonTask | null): readonly number[] {
  const count = Math.max(app.ports.length, task?.ports.length ?? 0)
  return Array.from({ length: count }, (_, index) => {
    const { containerPort = null, servicePort = null } = app.ports[index] ?? {}
    return containerPort ?? servicePort ?? task?.ports[index] ?? 0
  }).filter((port) => port !== 0)
}

function hostOf({ network }: MarathonApp, { host, addresses }: MarathonTask): string | null {
  const found = network === 'container' ? addresses[0] : host
  return found === undefined || found === '' ? null : found
}

function noHost({ network }: MarathonApp, { id }: MarathonTask): string {
  return network === 'container'
    ? `task ${id} has no address in its network yet`
    : `task ${id} has no host`
}
