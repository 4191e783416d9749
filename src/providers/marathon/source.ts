/** Marathon: the apps of a Mesos cluster, by their labels and by their service ports. */
import * as z from 'zod'
import { onDemand } from '../../model/on-demand.ts'
import { bad, good, quote } from '../../model/parsed.ts'
import { splitList } from '../../model/units.ts'
import { scalar, span } from '../../options/fields.ts'
import { labelOptions, listenHost, readLabelOptions } from '../labels/options.ts'
import { checkLogin, endpoints, registryOptions, withRegistryFiles } from '../registry/options.ts'
import { readTls, tlsOption } from '../registry/tls.ts'
import { defineSource, type SourceKind } from '../source-kind.ts'
import type { MarathonOptions } from './marathon-provider.ts'

const client = onDemand('the client of Marathon', () => import('./marathon-provider.ts'))
const { username, password } = registryOptions

/** Of the text form, for which there are no events by default. */
const POLL_MS = 5_000

const path = scalar(
  (value) => {
    const text = typeof value === 'string' ? value.replace(/\/$/, '') : null
    return text !== null && /^(?:\/[A-Za-z0-9._~-]+){0,16}$/.test(text)
      ? good(text)
      : bad(`must be a path such as /service/marathon, not ${quote(value)}`)
  },
  {
    type: 'string',
    description: 'Before every path of the API, behind a gateway: /service/marathon.',
  },
)

const token = scalar(
  (value) =>
    typeof value === 'string' && /^[!-~]{1,8192}$/.test(value)
      ? good(value)
      : bad('must be text of 1 to 8192 visible characters'),
  {
    type: 'string',
    description: 'A token of DC/OS, instead of username and password: Authorization: token=...',
  },
)

const groups = scalar(
  (value) => {
    const list: unknown = typeof value === 'string' ? splitList(value) : value
    const isList = Array.isArray(list) && list.length <= 100
    return isList && list.every((one) => typeof one === 'string' && /^[!-+\--~]{1,128}$/.test(one))
      ? good(list as readonly string[])
      : bad(`must be a list of groups such as ["external"], not ${quote(value)}`)
  },
  {
    type: ['array', 'string'],
    items: { type: 'string' },
    description:
      "Apps with one of these in HAPROXY_GROUP are read as marathon-lb reads them; '*' reads all apps, an empty list none.",
  },
).prefault('external')

export const marathon: SourceKind = defineSource({
  kind: 'marathon',
  description: 'The apps of a Marathon.',
  options: {
    endpoints: endpoints(8080),
    path: path.prefault(''),
    username,
    password,
    token: token.optional(),
    ...tlsOption,
    groups,
    servicePorts: listenHost(
      'The address on which each app gets a listener for each of its service ports: 127.0.0.1. By default there are none.',
    ).optional(),
    serviceMode: z.enum(['http', 'tcp']).default('http').meta({
      description:
        'What apps speak at their service ports if they have neither HAPROXY_{n}_MODE nor HAPROXY_{n}_VHOST.',
    }),
    ...labelOptions,
    read: z.enum(['apps', 'tasks']).default('apps').meta({
      description:
        'tasks: the list of tasks as text, as frontrunner reads it, where nothing else may be read. It has service ports only.',
    }),
    poll: span(
      'Read after this time, without the event stream. By default 5s with read: tasks, otherwise events say when to read.',
      1_000,
    ).optional(),
  },
  read(form, complain): MarathonOptions {
    const { username = null, password = null, token = null, read } = form
    checkLogin({ username, password }, complain)
    if (token !== null && username !== null)
      complain('needs token or username, not both', ['token'])
    if (read === 'tasks' && form.servicePorts === undefined) {
      complain('is needed with read: tasks', ['servicePorts'])
    }
    const basic = Buffer.from(`${username ?? ''}:${password ?? ''}`).toString('base64')
    return {
      endpoints: form.endpoints.addresses,
      path: form.path,
      authorization:
        token !== null ? `token=${token}` : username === null ? null : `Basic ${basic}`,
      tls: readTls(form.tls, form.endpoints.isTls, complain),
      groups: form.groups,
      servicePorts: form.servicePorts ?? null,
      serviceMode: form.serviceMode,
      labels: readLabelOptions(form),
      read,
      pollMs: form.poll ?? (read === 'tasks' ? POLL_MS : null),
    }
  },
  locations: ({ endpoints, path, read }) => [
    `marathon ${[...new Set(endpoints)].sort().join(',')}${path}, ${read}`,
  ],
  withFiles: withRegistryFiles,
  open: async (spec) => (await client.load()).createMarathonProvider(spec),
})
