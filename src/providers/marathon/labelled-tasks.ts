/** Apps with labels of Sluice or Traefik, for the reader of labels. */
import type { Labelled } from '../labels/labelled.ts'
import type { MarathonApp, MarathonTask } from './app.ts'
import { appKey } from './haproxy.ts'
import { addressByPort, portNames } from './task-address.ts'

const READ = /^(?:sluice|traefik)\./i
/** `sluice.port`, `sluice.frontends.NAME.port`, `traefik.http.services.NAME.loadbalancer.server.port`. */
const PORT_LABEL = /^(?:sluice\..*|traefik\.http\.services\..*\.server\.)port$/i

/** As Traefik names the service of an app: `shop_web`. */
function labelledName(id: string): string {
  return id.slice(1).replaceAll('/', '_')
}

/** Whether the reader of labels has anything to read. */
export function hasReadLabels({ labels }: MarathonApp): boolean {
  for (const name of labels.keys()) if (READ.test(name)) return true
  return false
}

/**
 * The app itself, so that its routes are there with any number of tasks, and one for each task that gets requests. Labels are
 * those of the app, so that each of them declares the same.
 */
export function labelledTasks(
  app: MarathonApp,
  isServing: (task: MarathonTask) => boolean,
): readonly Labelled[] {
  const key = appKey(app.id)
  const service = labelledName(app.id)
  const common = { key, service, labels: withPorts(app, null) }
  const whole: Labelled = {
    ...common,
    id: service,
    ports: portNames(app, null),
    address: () => ({ reason: 'it is an app' }),
    isServing: false,
    createdAt: 0,
  }
  const tasks = app.tasks.filter(isServing).map((task): Labelled => {
    const { id } = task
    return {
      ...common,
      labels: withPorts(app, task),
      id,
      ports: portNames(app, task),
      address: (port) => addressByPort(app, task, port),
      isServing: true,
      createdAt: 1,
    }
  })
  return [whole, ...tasks]
}

/**
 * As with Traefik's provider for Marathon, a label may choose a port by its index or its name: `index:1`, `name:http`. It
 * becomes the number of that port.
 */
function withPorts(app: MarathonApp, task: MarathonTask | null): ReadonlyMap<string, string> {
  const chosen = [...app.labels].filter(
    ([name, text]) => PORT_LABEL.test(name) && /^(?:index|name):/.test(text),
  )
  if (chosen.length === 0) return app.labels
  const names = portNames(app, task)
  const labels = new Map(app.labels)
  for (const [name, text] of chosen) {
    const word = text.slice(text.indexOf(':') + 1)
    const index = text.startsWith('index:')
      ? /^\d{1,4}$/.test(word)
        ? Number(word)
        : -1
      : app.ports.findIndex((port) => port.name === word)
    const port = names[index]
    // A text that stays is refused as a port, with the label.
    if (port !== undefined) labels.set(name, String(port))
  }
  return labels
}
