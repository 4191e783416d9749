/** What the index of routes compares; predicates compare the rest. */
export interface Located {
  /** Lower case, without port or trailing dot, IPv6 in brackets; '' when the request names none. */
  readonly host: string
  /** Normalized (see http/message/path-policy.ts), without query; `*` for OPTIONS of the server as a whole. */
  readonly path: string
}

/** What a route can match. The last three may be expensive, and are read only by routes that name them. */
export interface RoutableRequest extends Located {
  readonly method: string
  /** The id of the listener that it came in on. */
  readonly listener: string
  /** Without `?`; '' when there is none. */
  readonly query: string
  /** Without brackets. */
  readonly clientIp: string
  /**
   * Whether the value of a field passes: that of any of its lines, or of all of them as one list; '' where there is none.
   * `name` is in lower case.
   */
  fieldHolds(name: string, test: (value: string) => boolean): boolean
}
