/** A backend as the file writes it. Its servers are read by hand: there may be 100,000 of them. */
import * as z from 'zod'
import { count, duration, section, strict, text, whole } from './fields.ts'
import { refuseId } from './object-id.ts'
import { quote } from './parsed.ts'
import { parseServerUrl } from './server-url.ts'
import type { Backend, Server } from './snapshot.ts'
import { didYouMean } from './suggest.ts'

const timeouts = section(
  {
    connect: duration('To open a connection to a server.', '5s'),
    firstByte: duration('From the whole request sent to the first byte of the answer.', '60s'),
    stall: duration('Without progress while an answer is on its way.', '60s'),
    idle: duration('That an unused connection to a server is kept.', '60s'),
  },
  'How long to wait for servers.',
)

const limits = section(
  {
    connections: count(
      'Connections in use to one server at a time; 0 is no limit.',
      0,
      0,
      1_000_000,
    ),
    idle: count('Idle connections kept to one server by each serving thread.', 256, 0, 100_000),
  },
  'What one server may be asked for.',
)

const tls = section(
  {
    verify: z.boolean().default(true).meta({ description: "Verify the servers' certificates." }),
    ca: text(
      'Path of the authorities (PEM) to trust instead of the built-in ones.',
      4096,
    ).optional(),
    serverName: text("The name to ask for and verify instead of the url's host.", 253).optional(),
  },
  'Towards https servers.',
)

const MAX_WEIGHT = 1000
const SERVER_KEYS = ['url', 'weight']

/** Only its JSON Schema is used: readServers below is the parser. */
const serverForms = z.union([
  z.string().meta({ pattern: '^https?://', description: 'A url: http://10.0.0.7:8080' }),
  strict(
    {
      url: z.string().meta({ pattern: '^https?://', description: 'http or https, no path.' }),
      weight: whole('Its share of the traffic, 1 to 1000.', 1, MAX_WEIGHT).prefault(1),
    },
    'A server with its weight.',
  ),
])

interface JsonMap {
  readonly [key: string]: unknown
}

type Complain = (message: string, path: readonly string[]) => void

const servers = z
  .unknown()
  .transform((value, context): readonly Server[] =>
    readServers(value, (message, path) => {
      context.issues.push({ code: 'custom', message, path: [...path], input: value })
    }),
  )
  .meta({
    ...z.toJSONSchema(z.record(z.string(), serverForms), { io: 'input' }),
    $schema: undefined,
    description: 'The servers by their ids. An empty map answers 503.',
  })

/** Parsed, but for its file of authorities: that is a path yet. */
export interface BackendForm {
  readonly balance: Backend['balance']
  readonly timeouts: {
    readonly connect: number
    readonly firstByte: number
    readonly stall: number
    readonly idle: number
  }
  readonly limits: { readonly connections: number; readonly idle: number }
  readonly tls: {
    readonly verify: boolean
    readonly ca?: string | undefined
    readonly serverName?: string | undefined
  }
  readonly servers: readonly Server[]
}

export const backendSchema: z.ZodType<BackendForm> = strict(
  {
    balance: z
      .enum(['round-robin', 'least-connections'])
      .default('round-robin')
      .meta({ description: 'How a server is chosen; both respect weights.' }),
    timeouts,
    limits,
    tls,
    servers,
  },
  'Servers that do the same work.',
)

function readServers(value: unknown, complain: Complain): readonly Server[] {
  if (value === undefined) complain('is missing', [])
  else if (!isMap(value)) complain(`must be a map of ids to urls, not ${quote(value)}`, [])
  if (!isMap(value)) return []
  const found: Server[] = []
  const holders = new Map<string, string>()
  for (const [id, declared] of Object.entries(value)) {
    const server = readServer(id, declared, complain)
    if (server === null) continue
    const holder = holders.get(server.url)
    if (holder === undefined) {
      holders.set(server.url, id)
      found.push(server)
    } else {
      // Endpoints are known by backend and url, so a second one would share the first one's counters.
      complain(`${server.url} is already the server ${quote(holder)}; use weight to send it more`, [
        id,
      ])
    }
  }
  return found
}

function readServer(id: string, declared: unknown, complain: Complain): Server | null {
  const refused = refuseId(id)
  if (refused !== null) {
    complain(refused, [id])
    return null
  }
  const form = isMap(declared) ? declared : { url: declared }
  let whole = true
  for (const key of Object.keys(form)) {
    if (SERVER_KEYS.includes(key)) continue
    complain(`unknown key ${quote(key)}${didYouMean(key, SERVER_KEYS)}`, [id, key])
    whole = false
  }
  const weight = form['weight'] ?? 1
  if (
    typeof weight !== 'number' ||
    !Number.isInteger(weight) ||
    weight < 1 ||
    weight > MAX_WEIGHT
  ) {
    complain(`must be a whole number from 1 to ${MAX_WEIGHT}, not ${quote(weight)}`, [id, 'weight'])
    return null
  }
  const url = parseServerUrl(form['url'])
  if (url.ok) return whole ? { id, ...url.value, weight } : null
  complain(url.reason, isMap(declared) ? [id, 'url'] : [id])
  return null
}

function isMap(value: unknown): value is JsonMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
