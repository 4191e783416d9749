/**
 * What the load requests and what a server sends back. A request is known by its number, and its response repeats the request: a
 * client recognises a whole response, and the servers' counts show which request came how often.
 */
import type { Message } from '../../test/support/message.ts'

/** Responses are padded to this, so that half of one is something. */
const RESPONSE_BYTES = 1024
const POST_BYTES = 700
const TARGET = /^(?:GET|POST) \/r\/(\d+) HTTP\/1\.1$/

/** One of so many requests is a POST; 0: none. Scattered, so as not to be in step with the turns of servers and their faults. */
export function isPost(number: number, every: number): boolean {
  return every > 0 && (Math.imul(number, 2_654_435_761) >>> 8) % every === 0
}

export function requestOf(number: number, post: boolean, fields = ''): string {
  const body = post ? bodyOf(number) : ''
  const length = post ? `Content-Length: ${body.length}\r\n` : ''
  return `${lineOf(number, post)} HTTP/1.1\r\nHost: localhost\r\n${fields}${length}\r\n${body}`
}

/** The same for HTTP/2; the body is null for a GET. */
export function http2RequestOf(
  number: number,
  post: boolean,
): { readonly head: Readonly<Record<string, string>>; readonly body: string | null } {
  const [method = '', path = ''] = lineOf(number, post).split(' ')
  const head = { ':method': method, ':path': path, ':authority': 'localhost' }
  if (!post) return { head, body: null }
  const body = bodyOf(number)
  return { head: { ...head, 'content-length': String(body.length) }, body }
}

/** The body of the whole response to it. */
export function answerOf(number: number, post: boolean): string {
  return pad(`${lineOf(number, post)}\n${post ? bodyOf(number) : ''}`)
}

/** What a server makes of a request that it has read: the number (-1: of another program), and the body of its response. */
export function readRequest(request: Message): { number: number; body: string } {
  const [, number = '-1'] = TARGET.exec(request.line) ?? []
  const line = request.line.replace(/ HTTP\/1\.1$/, '')
  return { number: Number(number), body: pad(`${line}\n${request.body.toString('latin1')}`) }
}

function lineOf(number: number, post: boolean): string {
  return `${post ? 'POST' : 'GET'} /r/${number}`
}

function bodyOf(number: number): string {
  return `${number}.`.repeat(POST_BYTES).slice(0, POST_BYTES)
}

function pad(text: string): string {
  return text.padEnd(RESPONSE_BYTES, '.')
}
