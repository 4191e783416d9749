/**
 * The web-hook of Alertmanager (version 4): alerts whose labels, or annotations, name a backend and what to do.
 *
 *   backend: vote (or service: shop_vote)      direction: up      one step, once for each time that the alert fires
 *                                              scale: "+2", "-1"  as many at a time
 *                                              scale: "5"         this number, again with each notification
 *
 * Alertmanager sends an alert again and again while it fires, and several of them send the same. So a step is taken once for a
 * fingerprint and the time at which it began to fire. A resolved alert asks for nothing; when it fires again, it counts again.
 */
import { MAX_REPLICAS } from '../../model/scale.ts'
import { isMap, type JsonMap, quote } from '../../model/parsed.ts'
import type { ScaleRequest } from '../../scaling/scale-request.ts'
import { type Answer, type Call, type Endpoint, json, jsonOf, Refused } from '../endpoint.ts'
import { listOf, map, members, nullable, oneOf, text, whole } from '../openapi/schema.ts'
import { ask, backendOf, readMap, reasonOf, type ScalerView, specOf } from './scaler-view.ts'

const MAX_BODY_BYTES = 1 << 20
const MAX_ALERTS = 1_000
/** Steps that are remembered. The oldest are forgotten first. */
const MAX_SEEN = 10_000
const MAX_STEP = 100
const MAX_TEXT = 512

type Result =
  | {
      readonly outcome: 'asked'
      readonly backend: string
      readonly replicas: number
      readonly waits: string | null
    }
  | { readonly outcome: 'repeated' | 'resolved' }
  | { readonly outcome: 'refused'; readonly reason: string }

export function alertmanagerEndpoint(scaler: ScalerView): Endpoint {
  /** By fingerprint: since when it fires. */
  const seen = new Map<string, string>()

  function run(call: Call): Answer {
    const body = readMap(call)
    const { version, alerts } = body
    if (version !== '4') throw new Refused(400, `version must be "4", not ${quote(version)}`)
    if (!Array.isArray(alerts) || !alerts.every(isMap)) {
      throw new Refused(400, 'alerts must be a list of alerts')
    }
    if (alerts.length > MAX_ALERTS) throw new Refused(400, `at most ${MAX_ALERTS} alerts are taken`)
    const results = (alerts as readonly JsonMap[]).map((alert) => {
      const fingerprint = textOf(alert['fingerprint'])
      return { fingerprint, ...handle(call, alert, fingerprint) }
    })
    return json(200, { results })
  }

  /** An alert that asks for nothing that there is must not keep the others of its group from being handled. */
  function handle(call: Call, alert: JsonMap, fingerprint: string | null): Result {
    try {
      return take(call, alert, fingerprint)
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      const { message } = error
      call.audit({ fingerprint, refused: message }, `an alert asks for what cannot be: ${message}`)
      return { outcome: 'refused', reason: message }
    }
  }

  function take(call: Call, alert: JsonMap, fingerprint: string | null): Result {
    if (fingerprint === null) throw new Refused(400, 'an alert has no fingerprint')
    if (alert['status'] === 'resolved') {
      seen.delete(fingerprint)
      return { outcome: 'resolved' }
    }
    if (alert['status'] !== 'firing')
      throw new Refused(400, 'the status must be firing or resolved')
    const label = labelsOf(alert)
    const service = label('backend') ?? label('service')
    if (service === null) throw new Refused(400, 'it has no label backend or service')
    const backend = backendOf(scaler, service)
    const steps = specOf(scaler, backend).inputs.alertmanager
    if (steps === null) {
      throw new Refused(404, `backend "${backend}" takes no alerts: set scale.inputs.alertmanager`)
    }
    const to = readTo(label('scale') ?? label('direction'), steps)
    const since = textOf(alert['startsAt']) ?? ''
    if ('delta' in to && seen.get(fingerprint) === since) return { outcome: 'repeated' }
    const name = label('alertname') ?? 'an alert without a name'
    const asked = ask(scaler, {
      ...{ backend, to, input: 'alertmanager', forMs: null },
      reason: reasonOf(`${name} fires`, label('summary')),
    })
    remember(fingerprint, since)
    const { replicas } = asked
    call.audit({ ...asked, fingerprint }, `asked for ${replicas} replicas of backend "${backend}"`)
    return { outcome: 'asked', ...asked }
  }

  function remember(fingerprint: string, since: string): void {
    seen.delete(fingerprint)
    seen.set(fingerprint, since)
    for (const oldest of seen.keys()) {
      if (seen.size <= MAX_SEEN) break
      seen.delete(oldest)
    }
  }

  return {
    method: 'POST',
    path: '/api/scale/alertmanager',
    needs: 'write',
    summary: 'the web-hook of Alertmanager: alerts ask for replicas',
    query: {},
    body: {
      types: ['application/json'],
      description: 'a notification of Alertmanager, version 4',
      maxBytes: MAX_BODY_BYTES,
      schema: map({ version: oneOf('4'), alerts: listOf(members) }),
    },
    answers: { 200: 'what became of each alert' },
    gives: jsonOf(
      map({
        results: listOf(
          map(
            {
              fingerprint: nullable(text),
              outcome: oneOf('asked', 'repeated', 'resolved', 'refused'),
            },
            { backend: text, replicas: whole, waits: nullable(text), reason: text },
          ),
        ),
      }),
    ),
    run,
  }
}

/** A label, else an annotation: only these can have the value of the query. */
function labelsOf({ labels, annotations }: JsonMap): (name: string) => string | null {
  const maps = [labels, annotations].filter(isMap)
  return (name) => {
    for (const one of maps) {
      const value = Object.hasOwn(one, name) ? textOf(one[name]) : null
      if (value !== null && value !== '') return value
    }
    return null
  }
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' && value.length <= MAX_TEXT ? value : null
}

function readTo(
  written: string | null,
  steps: { readonly up: number; readonly down: number },
): ScaleRequest['to'] {
  if (written === 'up') return { delta: steps.up }
  if (written === 'down') return { delta: -steps.down }
  const [, sign, digits] = /^([+-]?)(\d{1,5})$/.exec(written ?? '') ?? []
  const number = Number(digits)
  if (sign === '' && number <= MAX_REPLICAS) return { replicas: number }
  if (sign !== undefined && sign !== '' && number > 0 && number <= MAX_STEP) {
    return { delta: sign === '+' ? number : -number }
  }
  throw new Refused(
    400,
    written === null
      ? 'it has neither direction (up or down) nor scale'
      : `scale must be up, down, a step such as +2, or a number of replicas, not ${quote(written)}`,
  )
}
