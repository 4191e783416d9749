/**
 * The error catalogue of exchanges. Each entry has the status for the client, the reason for the log, the error type for
 * Proxy-Status (RFC 9209), who is to blame, and whether the request may be sent again: `always` if no byte of it was processed,
 * `idempotent` if it may have been, `never` otherwise.
 *
 * The order is the reason's number in the scoreboard: append only.
 */
export interface ErrorKind {
  readonly status: number
  /** RFC 9209 section 2.3 error type, or null if the proxy refused by its own rules. */
  readonly proxyStatus: string | null
  readonly blame: 'client' | 'server' | 'proxy'
  readonly retry: 'always' | 'idempotent' | 'never'
}

function kind(
  status: number,
  proxyStatus: string | null,
  blame: ErrorKind['blame'],
  retry: ErrorKind['retry'] = 'never',
): ErrorKind {
  return { status, proxyStatus, blame, retry }
}

export type Reason =
  | 'BAD_REQUEST_LINE'
  | 'BAD_FIELD'
  | 'BAD_HOST'
  | 'BAD_TARGET'
  | 'AMBIGUOUS_PATH'
  | 'BAD_FRAMING'
  | 'BAD_CHUNK'
  | 'UNKNOWN_CODING'
  | 'HEAD_TOO_LARGE'
  | 'TARGET_TOO_LONG'
  | 'BODY_TOO_LARGE'
  | 'VERSION_UNSUPPORTED'
  | 'METHOD_REFUSED'
  | 'EXPECTATION_FAILED'
  | 'HEAD_TIMEOUT'
  | 'BODY_TIMEOUT'
  | 'MISDIRECTED'
  | 'TOO_MANY_CONNECTIONS'
  | 'CLIENT_GONE'
  | 'NO_ROUTE'
  | 'NO_SERVER'
  | 'SERVER_LIMIT'
  | 'CONNECT_REFUSED'
  | 'CONNECT_TIMEOUT'
  | 'CONNECT_FAILED'
  | 'DNS_FAILED'
  | 'TLS_FAILED'
  | 'CERTIFICATE_REFUSED'
  | 'SERVER_CLOSED'
  | 'FIRST_BYTE_TIMEOUT'
  | 'STALL_TIMEOUT'
  | 'BAD_ANSWER'
  | 'ANSWER_TOO_LARGE'
  | 'ANSWER_CUT'
  | 'INTERNAL'
  | 'DRAINED'
  | 'RESPOND'
  | 'REDIRECT'
  | 'LEADS_BACK_TO_PROXY'
  | 'TRY_TIMEOUT'
  | 'REQUEST_TIMEOUT'
  | 'RATE_LIMITED'
  | 'CLIENT_LIMIT'
  | 'QUEUE_FULL'
  | 'QUEUE_TIMEOUT'
  | 'OVERLOADED'
  | 'BREAKER_OPEN'
  | 'PLAIN_HTTP'
  | 'OUT_OF_RESOURCES'
  | 'GRPC_TIMEOUT'
  | 'HTTP2_REQUIRED'
  | 'NOT_HTTP2'
  | 'STREAM_REFUSED'
  | 'UPGRADE_REFUSED'
  | 'CLIENT_CERTIFICATE_REQUIRED'
  | 'ANSWER_REFUSED'
  | 'COLD_START_TIMEOUT'
  | 'COLD_START_FULL'

export const ERRORS: Readonly<Record<Reason, ErrorKind>> = {
  // Malformed requests.
  BAD_REQUEST_LINE: kind(400, 'http_request_error', 'client'),
  BAD_FIELD: kind(400, 'http_request_error', 'client'),
  BAD_HOST: kind(400, 'http_request_error', 'client'),
  BAD_TARGET: kind(400, 'http_request_error', 'client'),
  AMBIGUOUS_PATH: kind(400, 'http_request_error', 'client'),
  BAD_FRAMING: kind(400, 'http_request_error', 'client'),
  BAD_CHUNK: kind(400, 'http_request_error', 'client'),
  UNKNOWN_CODING: kind(501, 'http_request_error', 'client'),
  HEAD_TOO_LARGE: kind(431, 'http_request_error', 'client'),
  TARGET_TOO_LONG: kind(414, 'http_request_error', 'client'),
  BODY_TOO_LARGE: kind(413, 'http_request_error', 'client'),
  VERSION_UNSUPPORTED: kind(505, 'http_request_error', 'client'),
  METHOD_REFUSED: kind(405, 'http_request_denied', 'client'),
  EXPECTATION_FAILED: kind(417, 'http_request_error', 'client'),
  HEAD_TIMEOUT: kind(408, 'http_request_error', 'client'),
  BODY_TIMEOUT: kind(408, 'http_request_error', 'client'),
  MISDIRECTED: kind(421, 'http_request_denied', 'client'),
  TOO_MANY_CONNECTIONS: kind(503, 'connection_limit_reached', 'client'),
  CLIENT_GONE: kind(499, null, 'client'),
  // Routing.
  NO_ROUTE: kind(404, 'destination_not_found', 'proxy'),
  NO_SERVER: kind(503, 'destination_unavailable', 'proxy'),
  SERVER_LIMIT: kind(503, 'connection_limit_reached', 'proxy'),
  // Failures of servers.
  CONNECT_REFUSED: kind(502, 'connection_refused', 'server', 'always'),
  CONNECT_TIMEOUT: kind(504, 'connection_timeout', 'server', 'always'),
  CONNECT_FAILED: kind(502, 'destination_ip_unroutable', 'server', 'always'),
  DNS_FAILED: kind(502, 'dns_error', 'server', 'always'),
  TLS_FAILED: kind(502, 'tls_protocol_error', 'server', 'always'),
  CERTIFICATE_REFUSED: kind(502, 'tls_certificate_error', 'server', 'always'),
  SERVER_CLOSED: kind(502, 'connection_terminated', 'server', 'idempotent'),
  FIRST_BYTE_TIMEOUT: kind(504, 'http_response_timeout', 'server', 'idempotent'),
  STALL_TIMEOUT: kind(504, 'connection_read_timeout', 'server'),
  BAD_ANSWER: kind(502, 'http_protocol_error', 'server', 'idempotent'),
  ANSWER_TOO_LARGE: kind(502, 'http_response_header_section_size', 'server', 'idempotent'),
  ANSWER_CUT: kind(502, 'http_response_incomplete', 'server', 'idempotent'),
  // Faults of the proxy.
  INTERNAL: kind(500, 'proxy_internal_error', 'proxy'),
  DRAINED: kind(503, 'destination_unavailable', 'proxy'),
  // A middleware's local responses.
  RESPOND: kind(200, null, 'proxy'),
  REDIRECT: kind(308, null, 'proxy'),
  // A server that is one of the proxy's own listeners, or the admin.
  LEADS_BACK_TO_PROXY: kind(502, 'proxy_loop_detected', 'server', 'always'),
  // Time limits of servers.
  TRY_TIMEOUT: kind(504, 'http_response_timeout', 'server', 'idempotent'),
  REQUEST_TIMEOUT: kind(504, 'http_response_timeout', 'proxy'),
  // Concurrency limits of clients, routes and backends.
  RATE_LIMITED: kind(429, 'http_request_denied', 'client'),
  CLIENT_LIMIT: kind(429, 'http_request_denied', 'client'),
  QUEUE_FULL: kind(503, 'connection_limit_reached', 'proxy'),
  QUEUE_TIMEOUT: kind(503, 'connection_limit_reached', 'proxy'),
  OVERLOADED: kind(503, 'destination_unavailable', 'proxy'),
  BREAKER_OPEN: kind(503, 'destination_unavailable', 'proxy'),
  // Plain HTTP on an https listener.
  PLAIN_HTTP: kind(400, 'http_request_error', 'client'),
  // Descriptors, ports or memory are exhausted, see shortage.ts.
  OUT_OF_RESOURCES: kind(503, 'proxy_internal_error', 'proxy'),
  // gRPC: the client's own time limit has passed; its server speaks HTTP/1.1 only.
  GRPC_TIMEOUT: kind(504, 'http_response_timeout', 'client'),
  HTTP2_REQUIRED: kind(502, 'http_protocol_error', 'proxy'),
  // HTTP/2 to servers: what a server speaks instead, a request that it did not process, an upgrade that it cannot take.
  NOT_HTTP2: kind(502, 'http_protocol_error', 'server', 'always'),
  STREAM_REFUSED: kind(503, 'destination_unavailable', 'server', 'always'),
  UPGRADE_REFUSED: kind(502, 'http_upgrade_failed', 'proxy'),
  // A route that only clients with a verified certificate may use.
  CLIENT_CERTIFICATE_REQUIRED: kind(403, 'http_request_denied', 'client'),
  // A response head that is larger than a client of HTTP/2 takes: no failure of the server, so that no client can trip a breaker.
  ANSWER_REFUSED: kind(502, 'http_response_header_section_size', 'client'),
  // A backend that scales from zero: no server was ready in time, or too many requests wait for one.
  COLD_START_TIMEOUT: kind(503, 'destination_unavailable', 'proxy'),
  COLD_START_FULL: kind(503, 'connection_limit_reached', 'proxy'),
}

export const REASON_NAMES: readonly Reason[] = Object.keys(ERRORS) as Reason[]

const REASON_NUMBERS = new Map(REASON_NAMES.map((name, number) => [name, number]))

/** The reason's cell in the scoreboard. */
export function reasonNumber(reason: Reason): number {
  return REASON_NUMBERS.get(reason) ?? 0
}

/** Reasons that concern only the proxy itself. */
export function isOurs(reason: Reason | null): boolean {
  return reason === 'OUT_OF_RESOURCES' || reason === 'INTERNAL'
}

/** Reasons of malformed responses. */
export function isFaultOfForm(reason: Reason): boolean {
  return reason === 'BAD_ANSWER' || reason === 'ANSWER_TOO_LARGE'
}

/** An error of an exchange: `reason` is the key in the catalogue, the message is for the log. */
export class ExchangeError extends Error {
  readonly reason: Reason

  constructor(reason: Reason, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ExchangeError'
    this.reason = reason
  }

  get kind(): ErrorKind {
    return ERRORS[this.reason]
  }
}

/** What the server sent does not begin with HTTP/1. */
export class NotHttp extends ExchangeError {
  constructor(message: string) {
    super('BAD_ANSWER', message)
  }
}
