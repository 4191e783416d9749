/** POST /api/scale: how many replicas an operator, or a program, wants of a backend. */
import { MAX_REPLICAS } from '../../model/scale.ts'
import { type JsonMap, quote } from '../../model/parsed.ts'
import { didYouMean } from '../../model/suggest.ts'
import { DAY_MS, parseDuration } from '../../model/units.ts'
import type { ScaleRequest } from '../../scaling/scale-request.ts'
import { type Answer, type Call, type Endpoint, json, jsonOf, Refused } from '../endpoint.ts'
import { flag, map, text, whole } from '../openapi/schema.ts'
import { readFlag } from '../objects/object-service.ts'
import {
  ask,
  ASKED,
  reasonOf,
  readMap,
  SCALE_ANSWERS,
  type ScalerView,
  specOf,
} from './scaler-view.ts'

const MAX_BODY_BYTES = 64 * 1024
const LONGEST_MS = 30 * DAY_MS
const MEMBERS = ['backend', 'replicas', 'delta', 'reason', 'for'] as const

export function scaleRequestEndpoint(scaler: ScalerView): Endpoint {
  return {
    method: 'POST',
    path: '/api/scale',
    needs: 'write',
    summary: 'asks for replicas of a backend with scale, within its min and max',
    query: { dryRun: '1: says what would be asked for, and asks for nothing' },
    body: {
      types: ['application/json'],
      description: 'a backend, and either its number of replicas or a step',
      maxBytes: MAX_BODY_BYTES,
      schema: map(
        { backend: text },
        {
          replicas: { ...whole, minimum: 0, maximum: MAX_REPLICAS },
          delta: { ...whole, minimum: -MAX_REPLICAS, maximum: MAX_REPLICAS },
          reason: { ...text, description: 'for the log and for GET /api/scale' },
          for: { ...text, description: 'how long it is kept, such as 10m; inputs.hold without it' },
        },
      ),
    },
    answers: { 200: 'it is asked for', ...SCALE_ANSWERS },
    gives: jsonOf({ allOf: [ASKED, map({ dryRun: flag })] }),
    run: (call) => run(scaler, call),
  }
}

function run(scaler: ScalerView, call: Call): Answer {
  const body = readMap(call)
  const unknown = Object.keys(body).find((key) => !MEMBERS.some((one) => one === key))
  if (unknown !== undefined) {
    throw new Refused(400, `${quote(unknown)} is not known here${didYouMean(unknown, MEMBERS)}`)
  }
  const { backend, reason = '' } = body
  if (typeof backend !== 'string') throw new Refused(400, 'backend must be the id of a backend')
  if (typeof reason !== 'string') throw new Refused(400, 'reason must be text')
  const to = readTo(body)
  const forMs = body['for'] === undefined ? null : readFor(body['for'])
  specOf(scaler, backend)
  const dryRun = readFlag(call, 'dryRun')
  const asked = ask(scaler, {
    ...{ backend, to, forMs, dryRun, input: 'api' },
    reason: reasonOf(call.caller.name, reason),
  })
  if (dryRun) return json(200, { ...asked, dryRun })
  call.audit({ ...asked, ...to }, `asked for ${asked.replicas} replicas of backend "${backend}"`)
  return json(200, { ...asked, dryRun })
}

function readTo({ replicas, delta }: JsonMap): ScaleRequest['to'] {
  if ((replicas === undefined) === (delta === undefined)) {
    throw new Refused(400, 'one of replicas and delta is needed')
  }
  if (replicas !== undefined) {
    if (isWhole(replicas) && replicas >= 0) return { replicas }
    throw new Refused(
      400,
      `replicas must be a whole number from 0 to ${MAX_REPLICAS}, not ${quote(replicas)}`,
    )
  }
  if (isWhole(delta) && delta !== 0) return { delta }
  throw new Refused(
    400,
    `delta must be a whole number from -${MAX_REPLICAS} to ${MAX_REPLICAS} other than 0, not ${quote(delta)}`,
  )
}

function isWhole(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && Math.abs(value) <= MAX_REPLICAS
}

function readFor(value: unknown): number {
  const read = parseDuration(value, 1, LONGEST_MS)
  if (!read.ok) throw new Refused(400, `for ${read.reason}`)
  return read.value
}
