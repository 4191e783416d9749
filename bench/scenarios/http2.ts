/** HTTP/2 over TLS, side by side as the other timed scenarios. */
import type { Bench } from '../bench.ts'
import type { Http2Load } from '../http2/h2load.ts'
import { timeResponses, type TimedResult } from './timed.ts'

export const HTTP2_LOADS: readonly Http2Load[] = [
  {
    name: 'h2',
    title: '8 connections with 16 requests each, 1 KiB',
    response: '1k',
    ...{ connections: 8, streams: 16 },
  },
  {
    name: 'h2-single',
    title: '32 connections with 1 request each, 1 KiB',
    response: '1k',
    ...{ connections: 32, streams: 1 },
  },
  {
    name: 'h2-varied',
    title: '997 paths, response fields that vary, 1 KiB',
    response: '1k',
    ...{ connections: 8, streams: 16 },
    isVaried: true,
  },
  {
    name: 'h2-large',
    title: '100 KiB responses',
    response: '100k',
    ...{ connections: 8, streams: 16 },
  },
  {
    name: 'h2-upstream',
    title: 'origins of HTTP/2 in clear, 1 KiB',
    response: '1k',
    ...{ connections: 8, streams: 16 },
    toOrigins: true,
  },
]

export function timeHttp2(bench: Bench, load: Http2Load): Promise<TimedResult> {
  const isAble = load.toOrigins ? 'http2Origins' : 'http2'
  const contenders = bench.contenders.filter((contender) => contender[isAble] !== undefined)
  const http2Origins = load.toOrigins === true
  return timeResponses(
    { ...bench, contenders, http2: true, http2Origins },
    { response: load.response, tls: true, http2: load },
  )
}
