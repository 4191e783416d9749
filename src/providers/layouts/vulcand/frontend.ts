/**
 * Translates vulcand's frontends.
 *
 * Without a FailoverPredicate vulcand retries a GET while the response is 502 or 504; here the backend's own retry rules and
 * budget apply. With a predicate, only the predicate decides, up to vulcand's 11 attempts. Bodies for retries are kept in
 * memory; vulcand keeps larger ones on disk, here they are sent once.
 */
import { MAX_ATTEMPTS } from '../../../policy/retrying/retry.ts'
import { toRetryBuffer } from '../retry-buffer.ts'
import type { Translation } from '../translation.ts'
import { notNegative, required, requireHttp } from './requirements.ts'
import type { GoStruct } from './go-json.ts'

export function translateFrontend(frontend: GoStruct): Translation {
  requireHttp(frontend)
  const settings = frontend.struct('Settings')
  const remarks: string[] = []
  const value = {
    route: required(frontend, 'Route'),
    backend: required(frontend, 'BackendId'),
    passHost: settings.flag('PassHostHeader'),
    ...translateForwarding(settings),
    ...(settings.flag('Stream') ? asStream(settings, remarks) : buffered(settings, remarks)),
  }
  if (settings.whole('StreamFlushIntervalNanoSecs') !== 0) {
    const place = settings.place('StreamFlushIntervalNanoSecs')
    remarks.push(`${place} has no effect: data is sent when it comes`)
  }
  return { value, remarks }
}

function translateForwarding(settings: GoStruct): object {
  const server = settings.text('Hostname')
  const trust = settings.flag('TrustForwardHeader')
  if (server === '' && !trust) return {}
  return { forwarded: { ...(trust && { trust }), ...(server !== '' && { server }) } }
}

/** vulcand then ignores limits and the predicate. Here bodies are always streamed, and then not kept for retries. */
function asStream(settings: GoStruct, remarks: string[]): object {
  const limits = settings.struct('Limits')
  const idle = [
    notNegative(limits, 'MaxMemBodyBytes') !== 0 && limits.place('MaxMemBodyBytes'),
    notNegative(limits, 'MaxBodyBytes') !== 0 && limits.place('MaxBodyBytes'),
    settings.text('FailoverPredicate') !== '' && settings.place('FailoverPredicate'),
  ].filter((place) => place !== false)
  remarks.push(...idle.map((place) => `${place} has no effect with Stream, as in vulcand`))
  return { retry: { buffer: 0 } }
}

function buffered(settings: GoStruct, remarks: string[]): object {
  const limits = settings.struct('Limits')
  const [size, memory] = [
    notNegative(limits, 'MaxBodyBytes'),
    notNegative(limits, 'MaxMemBodyBytes'),
  ]
  const when = settings.text('FailoverPredicate')
  const buffer = toRetryBuffer(memory, limits.place('MaxMemBodyBytes'), remarks)
  return {
    ...(when === '' ? {} : { retry: { attempts: MAX_ATTEMPTS, when, buffer } }),
    ...(when === '' && memory !== 0 ? { retry: { buffer } } : {}),
    ...(size === 0 ? {} : { bodylimit: { size } }),
  }
}
