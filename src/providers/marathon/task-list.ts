/**
 * `GET /v2/tasks` with `Accept: text/plain`, which frontrunner and haproxy-marathon-bridge read: a line for each service port,
 * `app TAB port TAB host:port TAB host:port TAB`, with the running tasks of the app. A slash in the id of an app is `_`. An app
 * without ports has a blank for its port. From 1.10 on Marathon has this form no more.
 */
import { bracketHost, splitHostPort } from '../../model/address.ts'
import { quote } from '../../model/parsed.ts'
import type { Problem } from '../../model/problem.ts'
import { define, problemAt } from '../labels/definition.ts'
import type { Listed } from '../listing/object-mirror.ts'
import type { DeclaredObject } from '../provider.ts'
import { routeCall } from '../route-terms.ts'
import { definePorts, type PortRoute } from './service-ports.ts'

interface Line {
  readonly app: string
  readonly port: number
  readonly endpoints: ReadonlySet<string>
  /** What else is in their place. */
  readonly others: readonly string[]
}

/** As in frontrunner, apps with this service port share it, each with its name as the host. */
const HTTP_PORT = 80

/** `host`: where service ports are opened. `mode`: what is spoken there, except at port 80. */
export function declareTaskList(
  text: string,
  host: string,
  mode: 'http' | 'tcp',
  prefix: string,
): Listed {
  const problems: Problem[] = []
  const lines = new Map<string, Line>()
  for (const [index, written] of text.split('\n').entries()) {
    const line = readLine(written)
    if (line === null) continue
    const key = `line ${index + 1}`
    if (typeof line === 'string') {
      problems.push(problemAt(key, line))
      continue
    }
    lines.set(`${line.app}_${line.port}`, line)
    for (const other of line.others)
      problems.push(
        problemAt(key, `the endpoint ${quote(other)} of ${quote(line.app)} is left out`),
      )
  }
  const routes: PortRoute[] = []
  const objects: DeclaredObject[] = []
  for (const [name, { app, port, endpoints }] of lines) {
    const key = `app ${app}`
    const value = { balance: 'least-connections' }
    objects.push(define({ kind: 'backend', name, key, value }).object)
    for (const endpoint of endpoints) {
      const server = { url: `http://${endpoint}` }
      objects.push(define({ kind: 'server', name, part: endpoint, key, value: server }).object)
    }
    const isShared = port === HTTP_PORT
    const condition = isShared ? routeCall('Host', [app]) : null
    const isStream = mode === 'tcp' && !isShared
    routes.push({ port, name: `${name}-port`, key, isStream, condition, value: { backend: name } })
  }
  return { objects: [...objects, ...definePorts(routes, host, prefix)], problems }
}

/** Null: it has nothing to declare; text: what is wrong. */
function readLine(written: string): Line | string | null {
  const [app = '', port = '', ...fields] = written.trimEnd().split(/[\t ]+/)
  // Without ports the hosts of its tasks are there in their place.
  if (app === '' || !/^\d+$/.test(port)) {
    return /^\S*\s*$|^\S+\t \t/.test(written) ? null : `is ${quote(written)}`
  }
  const number = Number(port)
  if (number === 0) return null
  if (number > 65_535) return `${quote(app)} has the service port ${number}`
  const endpoints = new Set<string>()
  const others: string[] = []
  for (const field of fields) {
    const split = splitHostPort(field)
    // 0: the task has fewer ports than its app.
    if (split?.port === 0) continue
    if (split === null || split.port === null || split.host === '') others.push(field)
    else endpoints.add(`${bracketHost(split.host.replace(/^\[|\]$/g, ''))}:${split.port}`)
  }
  return { app, port: number, endpoints, others }
}
