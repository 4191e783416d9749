/** The paths of vulcand's HTTP API. What they do is loaded with the first call, since few programs are asked by vulcand's tools. */
import { onDemand } from '../../model/on-demand.ts'
import { type BodyForm, type Endpoint, jsonOf } from '../endpoint.ts'
import { MAX_BODY_BYTES } from '../objects/endpoints.ts'
import { WRITE_QUERY } from '../objects/object-service.ts'
import { KNOWN_HEADER, PRECONDITIONS } from '../objects/preconditions.ts'
import { MESSAGE } from '../openapi/shapes.ts'
import type { VulcandCalls, VulcandOptions } from './calls.ts'
import { KINDS } from './kinds.ts'

const SECRETS = { secrets: '1: with private keys; needs a token or certificate of role write' }
const BODY: BodyForm = {
  types: 'any',
  description: 'the object in its wrapper: {"Backend":{...}}, and "TTL" where objects have one',
  maxBytes: MAX_BODY_BYTES,
}
const ANSWERS = {
  200: 'as vulcand',
  400: 'the object, or its JSON, is invalid',
  404: 'it, or what it belongs to, is not there',
  409: 'it is in use, an earlier source has its name, or no source can be written',
  412: 'If-Match or If-None-Match does not hold',
  503: 'the registry cannot be used now',
}

const calls = onDemand("vulcand's API", () => import('./calls.ts'))
const shapes = onDemand("the schemas of vulcand's API", () => import('./shapes.ts'))

export function vulcandEndpoints(options: VulcandOptions): readonly Endpoint[] {
  let made: VulcandCalls | null = null

  async function load(): Promise<VulcandCalls> {
    const { createVulcandCalls } = await calls.load()
    return (made ??= createVulcandCalls(options))
  }

  return KINDS.flatMap((of) => {
    const one = `${of.path}/{${of.parameter}}`
    const name = of.kind
    const gives = jsonOf(async () => (await shapes.load()).shapeOf(of), { hasETag: true })
    const write = {
      needs: 'write',
      query: WRITE_QUERY,
      headers: PRECONDITIONS,
      answers: ANSWERS,
      gives,
    } as const
    const get = {
      method: 'GET',
      needs: 'read',
      query: SECRETS,
      body: null,
      answers: ANSWERS,
    } as const
    return [
      {
        ...get,
        path: of.path,
        summary: `vulcand: all ${of.list}`,
        gives: jsonOf(async () => (await shapes.load()).listShape(of)),
        run: async (call) => (await load()).list(of, call),
      },
      {
        ...write,
        method: 'POST' as const,
        path: of.path,
        body: { ...BODY, schema: async () => (await shapes.load()).packShape(of) },
        summary: `vulcand: creates or replaces a ${name}`,
        run: async (call) => (await load()).upsert(of, call),
      },
      {
        ...get,
        path: one,
        summary: `vulcand: one ${name}`,
        headers: KNOWN_HEADER,
        answers: { ...ANSWERS, 304: 'If-None-Match has its revision' },
        gives,
        run: async (call) => (await load()).show(of, call),
      },
      {
        ...write,
        method: 'PATCH' as const,
        path: one,
        body: { ...BODY, description: 'a merge patch', schema: { type: 'object' } },
        summary: `changes members of a ${name}`,
        run: async (call) => (await load()).patch(of, call),
      },
      {
        ...write,
        method: 'DELETE' as const,
        path: one,
        body: null,
        gives: jsonOf(MESSAGE),
        summary: `vulcand: deletes a ${name}`,
        run: async (call) => (await load()).remove(of, call),
      },
    ]
  })
}
