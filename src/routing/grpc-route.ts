/** Which routes are for gRPC: those that only calls can match. */
import { isGrpcType } from '../http/grpc/content-type.ts'
import { type Literal, toAlternatives } from './alternatives.ts'
import type { Matcher } from './expression.ts'
import { parseRoute } from './parse.ts'

/** False also for a route that cannot be read. */
export function isGrpcRoute(route: string): boolean {
  // Most routes are not parsed again for this.
  if (!/application.{1,2}grpc/i.test(route)) return false
  const parsed = parseRoute(route)
  return parsed.ok && toAlternatives(parsed.expression).every((all) => all.some(isForCalls))
}

function isForCalls({ term, negated }: Literal): boolean {
  if (negated || term.subject !== 'header' || term.name.toLowerCase() !== 'content-type')
    return false
  return term.values.length > 0 && term.values.every(isCallType)
}

function isCallType({ kind, text }: Matcher): boolean {
  return kind === 'regexp' ? /^\^?application\\?\/grpc(?!-)/i.test(text) : isGrpcType(text)
}
