/**
 * The endpoints of the admin as data. A list of them is the only place that knows paths: the router, the index page, 405 and
 * the description of the API are made from it.
 */
import type { IncomingHttpHeaders } from 'node:http'
import type { ObjectKind } from '../model/names.ts'
import type { AdminRole, AnonymousRole } from '../model/settings.ts'
import type { JsonSchema } from './openapi/schema.ts'

export type Method = 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE'

/** Who asks. */
export interface Caller {
  /** `token ci`, `certificate CN=ops`, `anonymous`: for the log. */
  readonly name: string
  readonly role: AnonymousRole
  /** By a token or a certificate. */
  readonly isProven: boolean
  /** The address of the client; of a unix socket `unix`. */
  readonly peer: string
}

export interface Call {
  readonly method: Method
  readonly path: string
  /** The decoded parameters of the path. */
  readonly parameters: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  /** Empty if the endpoint takes none. */
  readonly body: Buffer
  readonly caller: Caller
  /** For an answer that takes long: whether the client may still use the endpoint, by the settings as they are now. */
  readonly isStillAllowed: () => boolean
  /** Writes the line of a change to the log: what, with the client and the path. */
  readonly audit: (fields: object, message: string) => void
}

/** `none`: for every client; the answer tells nothing of the state. */
export type Need = 'none' | 'metrics' | AdminRole

export interface BodyForm {
  /** The media types that it may have. `any`: every one that a form of a web page cannot send, and none. */
  readonly types: readonly string[] | 'any'
  readonly description: string
  readonly maxBytes: number
  /** Of what it must hold, where `{kind}` is in the path by kind; absent: it may be missing, and is not read. */
  readonly schema?: JsonSchema | ((kind: ObjectKind) => JsonSchema | Promise<JsonSchema>)
}

/** What an answer of 2xx holds. */
export interface AnswerForm {
  readonly type: string
  /** A function: loaded when the description is asked for. */
  readonly schema: JsonSchema | (() => Promise<JsonSchema>)
  /** The revision of the object is its ETag. */
  readonly hasETag?: boolean
  /** Other statuses that have the same content. */
  readonly alsoAt?: readonly number[]
}

export interface Endpoint {
  /** HEAD is GET without the content. */
  readonly method: Method
  /** `{name}` is one segment. */
  readonly path: string
  /** The kinds that `{kind}` stands for, each a path of its own in the description. */
  readonly kinds?: readonly ObjectKind[]
  readonly needs: Need
  readonly summary: string
  /** By name: what it means. Others are refused. */
  readonly query: Readonly<Record<string, string>>
  /** Fields of the head that it reads, by name: what they mean. */
  readonly headers?: Readonly<Record<string, string>>
  /** Null: a body is refused. */
  readonly body: BodyForm | null
  /** By status: what it means. */
  readonly answers: Readonly<Record<number, string>>
  readonly gives: AnswerForm
  readonly run: (call: Call) => Answer | Promise<Answer>
}

export type Content =
  | { readonly kind: 'json'; readonly value: unknown }
  /** `type`: with its charset. */
  | { readonly kind: 'text'; readonly type: string; readonly text: string }
  /** JSON in pieces, for large answers. */
  | { readonly kind: 'pieces'; readonly pieces: Iterable<string>; readonly type?: string }
  | { readonly kind: 'events'; readonly open: OpenStream }

/** Sends texts until the client leaves. Returns what is called then. */
export type OpenStream = (stream: EventStream) => () => void

export interface EventStream {
  /** False: the client does not keep up; the stream should be ended. */
  send(text: string): boolean
  /** Cuts it off. */
  end(): void
}

export interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly content: Content
}

/** The form of an answer in JSON. */
export function jsonOf(
  schema: AnswerForm['schema'],
  more: Pick<AnswerForm, 'hasETag' | 'alsoAt'> = {},
): AnswerForm {
  return { type: 'application/json', schema, ...more }
}

export function json(
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  return { status, headers, content: { kind: 'json', value } }
}

/** What is wrong with a request, or with what it asks for; the rest of `fields` is shown beside the message. */
export class Refused extends Error {
  override readonly name = 'Refused'
  readonly status: number
  readonly fields: object
  readonly headers: Readonly<Record<string, string>>

  constructor(
    status: number,
    message: string,
    fields: object = {},
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(message)
    this.status = status
    this.fields = fields
    this.headers = headers
  }
}

/** An endpoint that only reads. */
export function reading(
  path: string,
  summary: string,
  run: Endpoint['run'],
  options: Pick<Endpoint, 'gives'> &
    Partial<Pick<Endpoint, 'needs' | 'query' | 'headers' | 'answers'>>,
): Endpoint {
  const { needs = 'read', query = {}, answers = { 200: 'what was asked for' }, ...rest } = options
  return { method: 'GET', path, needs, summary, query, body: null, answers, ...rest, run }
}
