/** POST /api/servers/BACKEND/SERVER/drain and undrain: `drain` of a server, where it is written. */
import type { Written } from '../../control/writing/writer.ts'
import { isMap, type JsonMap } from '../../model/parsed.ts'
import { joinParts, type ObjectName, refuseObjectName } from '../../model/names.ts'
import { onDemand } from '../../model/on-demand.ts'
import { vulcandForm } from '../../providers/layouts/native/layout.ts'
import { splitOrigin } from '../../providers/layouts/server-origin.ts'
import { type Answer, type Call, type Endpoint, json, jsonOf, Refused } from '../endpoint.ts'
import { DRAINED } from '../openapi/shapes.ts'
import { read } from './endpoints.ts'
import { type ObjectService, WRITE_QUERY } from './object-service.ts'
import { PRECONDITIONS } from './preconditions.ts'

/** Reads servers that vulcand's API wrote. */
const goJson = onDemand(
  "vulcand's form",
  () => import('../../providers/layouts/vulcand/go-json.ts'),
)

export function drainEndpoints(service: ObjectService): readonly Endpoint[] {
  return (['drain', 'undrain'] as const).map((verb) => ({
    method: 'POST' as const,
    path: `/api/servers/{backend}/{server}/${verb}`,
    needs: 'drain' as const,
    summary:
      verb === 'drain' ? 'the server gets no new requests' : 'the server gets requests again',
    query: WRITE_QUERY,
    body: { types: ['application/json'], description: 'not needed', maxBytes: 1024 },
    answers: {
      200: 'it is written',
      404: 'the registry that is written has no such server',
      409: 'no source can be written, or its layout has no drain',
      412: 'If-Match or If-None-Match does not hold',
      422: 'the object that holds the server would be set aside',
      503: 'the registry cannot be used now',
    },
    headers: PRECONDITIONS,
    gives: jsonOf(DRAINED),
    run: (call: Call) => setDrain(call, verb === 'drain'),
  }))

  async function setDrain(call: Call, isDrained: boolean): Promise<Answer> {
    const { backend = '', server = '' } = call.parameters
    const own: ObjectName = { kind: 'server', id: joinParts(backend, server) }
    const refused = refuseObjectName(own)
    if (refused !== null) throw new Refused(400, refused)
    await goJson.load()
    const writer = await service.writer()
    if (writer.layout !== 'sluice') {
      throw new Refused(
        409,
        `source "${writer.source}" has layout ${writer.layout}, in which a server has no drain: delete the server instead`,
      )
    }
    const whole: ObjectName = { kind: 'backend', id: backend }
    const hasKey = (await read(() => writer.get(own))) !== null
    const name = hasKey ? own : whole
    const { outcome, revision } = await service.write({
      ...{ call, name, ttlMs: null, isPatch: true },
      next: (before) => (hasKey ? withDrain(before, isDrained) : inside(before, server, isDrained)),
      refuse: (flaws) => new Refused(422, flaws.map(({ message }) => message).join('; ')),
    })
    return json(200, { backend, server, drain: isDrained, outcome, revision })
  }
}

function withDrain(before: Written | null, isDrained: boolean): unknown {
  if (before === null) throw new Refused(404, 'the server was deleted meanwhile')
  return drained(before.value, isDrained)
}

function inside(before: Written | null, server: string, isDrained: boolean): JsonMap {
  const whole = before?.value
  const servers = isMap(whole) ? whole['servers'] : undefined
  const found = isMap(servers) && Object.hasOwn(servers, server) ? servers[server] : undefined
  if (!isMap(whole) || !isMap(servers) || found === undefined) {
    throw new Refused(
      404,
      'the registry that is written has no such server; drain it where it is declared',
    )
  }
  return { ...whole, servers: { ...servers, [server]: drained(found, isDrained) } }
}

function drained(value: unknown, isDrained: boolean): JsonMap {
  const form = isMap(value) ? value : { url: value }
  // The form of vulcand has no drain, so a server in it becomes one of the native form, which vulcand's API shows as before.
  const foreign = vulcandForm(form)
  const native = isMap(foreign)
    ? { url: splitOrigin(goJson.loaded().readStruct(foreign).text('URL')).url }
    : form
  const { drain: _before, ...rest } = native
  return isDrained ? { ...rest, drain: true } : rest
}
