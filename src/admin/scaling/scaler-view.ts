/** What the endpoints that scale need of the scaler, and what they have in common. */
import type { ScaleSpec } from '../../model/scale.ts'
import { escapeControls, isMap, type JsonMap, quote } from '../../model/parsed.ts'
import { didYouMean } from '../../model/suggest.ts'
import { readJsonText } from '../../providers/registry/json-value.ts'
import type { RequestScale, ScaleRequest } from '../../scaling/scale-request.ts'
import { toText } from '../body.ts'
import { type Call, Refused } from '../endpoint.ts'
import { type JsonSchema, map, named, nullable, text, whole } from '../openapi/schema.ts'

export interface ScalerView {
  readonly request: RequestScale
  /** Null: there is no such backend, or it has no `scale`. */
  readonly specOf: (backend: string) => ScaleSpec | null
  /** Ids of backends with `scale`. */
  readonly backends: () => readonly string[]
}

/** What became of a request that was taken. */
export interface Asked {
  readonly backend: string
  readonly replicas: number
  readonly waits: string | null
}

export const ASKED: JsonSchema = named(
  'ScaleAnswer',
  map({
    backend: text,
    replicas: { ...whole, description: 'what is asked for from now on, within min and max' },
    waits: {
      ...nullable(text),
      description: 'why it has no effect on the provider here and now; null: it has',
    },
  }),
)

export const SCALE_ANSWERS = {
  404: 'there is no such backend, or it has no scale, or does not take such requests',
  409: 'the number of replicas is unknown, so it cannot be changed by a step',
}

/** Throws Refused: 404 if there is no such backend with `scale`, else 409. */
export function ask(scaler: ScalerView, request: ScaleRequest): Asked {
  const answer = scaler.request(request)
  if (!answer.taken) throw new Refused(answer.isUnknown ? 404 : 409, answer.refused)
  const { replicas, waits } = answer
  return { backend: request.backend, replicas, waits }
}

/** Throws Refused (404). */
export function specOf(scaler: ScalerView, backend: string): ScaleSpec {
  const spec = scaler.specOf(backend)
  if (spec !== null) return spec
  const hint = didYouMean(backend, scaler.backends())
  throw new Refused(404, `there is no backend ${quote(backend)} with scale${hint}`)
}

/** A backend by its id, or by the name of its service where it runs. Throws Refused: 404, or 409 if several have the name. */
export function backendOf(scaler: ScalerView, service: string): string {
  if (scaler.specOf(service) !== null) return service
  const found = scaler.backends().filter((backend) => serviceOf(scaler.specOf(backend)) === service)
  const [only, ...more] = found
  if (only === undefined) specOf(scaler, service)
  if (only === undefined || more.length > 0) {
    const which = found.map(quote).join(', ')
    throw new Refused(409, `several backends run ${quote(service)}: name one of ${which}`)
  }
  return only
}

export function serviceOf(spec: ScaleSpec | null): string | null {
  if (spec === null) return null
  const { actuator } = spec
  if (actuator.kind === 'swarm' || actuator.kind === 'compose') return actuator.service
  return actuator.kind === 'marathon' ? actuator.app : null
}

/** Throws Refused (400) if the body is no JSON map. */
export function readMap({ body }: Pick<Call, 'body'>): JsonMap {
  const read = readJsonText(toText(body))
  if (!read.ok) throw new Refused(400, `the body ${read.reason}`)
  if (!isMap(read.value)) throw new Refused(400, `the body must be a map, not ${quote(read.value)}`)
  return read.value
}

const LONGEST_REASON = 200

/** In one line. */
export function reasonOf(...parts: readonly (string | null)[]): string {
  const said = parts.filter((part) => part !== null && part !== '').join(': ')
  const line = escapeControls(said.replace(/\s+/g, ' '))
  return line.length > LONGEST_REASON ? `${line.slice(0, LONGEST_REASON - 3)}...` : line
}
