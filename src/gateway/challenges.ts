/**
 * Answers to http-01 (RFC 8555 section 8.3): while an order of a certificate is open, its http listeners respond to the
 * authority themselves, before any route, redirect or middleware. Other tokens go on to the routes, where another ACME client
 * may answer for them.
 */
import type { LocalResponse } from '../http/message/local-response.ts'
import type { Exchange } from '../http/exchange.ts'
import type { Challenge } from '../model/snapshot.ts'

const FOLDER = '/.well-known/acme-challenge/'

/** By path. */
export type ChallengeAnswers = ReadonlyMap<string, LocalResponse>

/** Null: there is no challenge, and requests are not looked at. */
export function compileAnswers(challenges: readonly Challenge[]): ChallengeAnswers | null {
  const answers = new Map<string, LocalResponse>()
  for (const challenge of challenges) {
    if (challenge.kind !== 'http-01') continue
    answers.set(FOLDER + challenge.token, {
      status: 200,
      reason: 'RESPOND',
      detail: 'a challenge of an order of a certificate',
      fields: 'Cache-Control: no-store\r\n',
      contentType: 'text/plain; charset=utf-8',
      body: Buffer.from(challenge.keyAuthorization),
    })
  }
  return answers.size === 0 ? null : answers
}

/** The response to this request; undefined if it is for the routes. */
export function answerTo(exchange: Exchange, answers: ChallengeAnswers): LocalResponse | undefined {
  const { method, path } = exchange
  return method === 'GET' || method === 'HEAD' ? answers.get(path) : undefined
}
