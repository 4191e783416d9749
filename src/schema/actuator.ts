/** The schema of actuators: a map with one kind and its options. */
import type * as z from 'zod'
import { ACTUATOR_KINDS, type ActuatorSpec } from '../model/actuator-spec.ts'
import { isForbiddenKey } from '../model/names.ts'
import { type Scalar, bad, good, quote } from '../model/parsed.ts'
import { duration, meaning, reference, scalar, strict, text, whole } from '../options/fields.ts'
import { refuseRequestHeader } from '../options/header-fields.ts'
import { parseHookUrl } from '../options/web-hook.ts'

const MAX_TEXT = 256
const MAX_PATH = 4096
const MAX_WORDS = 100
const MAX_HEADERS = 20
const MIN_SECRET = 16
const LONGEST_STOP_MS = 600_000

const service = text('The service as the engine names it: shop_vote.', MAX_TEXT)
const stop = duration('How long a replica may take to stop.', '10s', 0, LONGEST_STOP_MS)

function sourceOf(kind: string, otherwise: string): z.ZodType<string | undefined> {
  return reference(
    `The source of kind ${kind} whose endpoint and login are used; by default the only one${otherwise}.`,
  ).optional()
}

const ENGINE = ', or the engine of this machine if there is none'

const webHookUrl = (description: string): z.ZodType<string> =>
  scalar(parseHookUrl, { type: 'string', pattern: '^https?://', maxLength: 2048, description })

const secret = scalar(
  (value) =>
    typeof value === 'string' && value.length >= MIN_SECRET && value.length <= 4096
      ? good(value)
      : bad(
          `must be text of ${MIN_SECRET} to 4096 characters; make one with: openssl rand -hex 32`,
        ),
  {
    type: 'string',
    minLength: MIN_SECRET,
    maxLength: 4096,
    description: 'Signs requests with HMAC-SHA-256.',
  },
)

/** Of requests to another program. */
export const headers: z.ZodType<Readonly<Record<string, string>>> = scalar(parseHeaders, {
  type: 'object',
  maxProperties: MAX_HEADERS,
  additionalProperties: { type: 'string' },
  description: 'Headers of its requests.',
})

/** A list of 1 to 100 texts. */
function words(description: string): z.ZodType<readonly string[]> {
  return scalar(
    (value) => {
      const isList = Array.isArray(value) && value.length > 0 && value.length <= MAX_WORDS
      const isWord = (one: unknown): boolean =>
        typeof one === 'string' && one.length <= MAX_PATH && !one.includes('\0')
      return isList && value.every(isWord) && value[0] !== ''
        ? good(value as readonly string[])
        : bad(`must be a list of 1 to ${MAX_WORDS} texts such as ["node", "app.js"]`)
    },
    { type: 'array', items: { type: 'string' }, minItems: 1, maxItems: MAX_WORDS, description },
  )
}

const form = strict(
  {
    swarm: strict(
      { service, source: sourceOf('swarm', ENGINE) },
      'A service of a Docker Swarm.',
    ).optional(),
    docker: strict(
      {
        label: text('The label that the containers have: name, or name=value.', MAX_TEXT),
        source: sourceOf('docker', ENGINE),
        stop,
      },
      'Containers that exist and are started and stopped.',
    ).optional(),
    compose: strict(
      {
        service: text('The service as the files name it.', MAX_TEXT),
        files: words('The files of the project; relative paths start at the file of the settings.'),
        project: text(
          'The name of the project; by default as compose chooses it.',
          MAX_TEXT,
        ).optional(),
        command: words('The program and its first arguments.').prefault(['docker', 'compose']),
      },
      'A service of a compose project, by its command. Only files of this machine may have it.',
    ).optional(),
    marathon: strict(
      { app: text('The id of the app: /shop/vote.', MAX_TEXT), source: sourceOf('marathon', '') },
      'An app of Marathon.',
    ).optional(),
    webhook: strict(
      {
        url: webHookUrl('The URL to call with the number of replicas.'),
        secret: secret.optional(),
        headers: headers.optional(),
        observe: webHookUrl(
          'The URL that responds with the number of replicas; by default the servers in the table are counted.',
        ).optional(),
      },
      'The number of replicas is sent to another program.',
    ).optional(),
    process: strict(
      {
        command: words('The program and its arguments; {port} and {replica} are replaced.'),
        port: whole('The port of the first replica; each further one has the next.', 1, 65_535),
        stop,
      },
      'Processes of this machine. Only files of this machine may have it.',
    ).optional(),
  },
  'What changes the number of replicas: one of its kinds.',
)

export const actuator: z.ZodType<ActuatorSpec> = meaning(form, (read, complain) => {
  const [spec, ...more] = specsOf(read)
  const known = ACTUATOR_KINDS.join(', ')
  if (spec === undefined) complain(`must have one of ${known}`, [])
  if (more.length > 0) complain(`must have only one of ${known}`, [])
  return spec ?? NONE
})

/** Of a form that is refused. */
const NONE: ActuatorSpec = { kind: 'swarm', service: '', source: null }

function specsOf(read: z.output<typeof form>): readonly ActuatorSpec[] {
  const { swarm, docker, compose, marathon, webhook, process } = read
  const specs: ActuatorSpec[] = []
  if (swarm !== undefined) {
    specs.push({ kind: 'swarm', service: swarm.service, source: swarm.source ?? null })
  }
  if (docker !== undefined) {
    const { label, source = null, stop: stopMs } = docker
    specs.push({ kind: 'docker', label, source, stopMs })
  }
  if (compose !== undefined) {
    const { service: of, files, project = null, command } = compose
    specs.push({ kind: 'compose', service: of, files, project, command })
  }
  if (marathon !== undefined) {
    specs.push({ kind: 'marathon', app: marathon.app, source: marathon.source ?? null })
  }
  if (webhook !== undefined) {
    const { url, secret: key = null, headers: fields = {}, observe = null } = webhook
    specs.push({ kind: 'webhook', url, secret: key, headers: fields, observeUrl: observe })
  }
  if (process !== undefined) {
    const { command, port, stop: stopMs } = process
    specs.push({ kind: 'process', command, port, stopMs })
  }
  return specs
}

function parseHeaders(value: unknown): Scalar<Readonly<Record<string, string>>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return bad(`must be a map of names to texts, not ${quote(value)}`)
  }
  const fields = Object.entries(value)
  if (fields.length > MAX_HEADERS) return bad(`must hold at most ${MAX_HEADERS} headers`)
  for (const [name, written] of fields) {
    const reason = isForbiddenKey(name)
      ? `the key ${quote(name)} is reserved`
      : refuseRequestHeader(name, written)
    if (reason !== null) return bad(reason)
  }
  return good(Object.fromEntries(fields) as Record<string, string>)
}
