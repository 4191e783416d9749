/** Where an API is: `http://HOST:PORT`, `https://HOST:PORT`, or `unix:/PATH` of a socket. */

export interface Target {
  readonly isTls: boolean
  readonly where: Readonly<Record<string, string | number>>
  /** What stands before all paths, without a slash at its end. */
  readonly prefix: string
  /** For messages. */
  readonly place: string
}

export function isBaseUrl(text: string): boolean {
  try {
    parseBaseUrl(text)
    return true
  } catch {
    return false
  }
}

/** Throws TypeError. */
export function parseBaseUrl(text: string): Target {
  const [, socketPath] = /^unix:(?:\/\/)?(\/.+)$/.exec(text) ?? []
  if (socketPath !== undefined) {
    return { isTls: false, where: { socketPath, host: 'localhost' }, prefix: '', place: text }
  }
  const url = URL.parse(text)
  const { protocol = '', hostname = '', port = '', username, search, hash } = url ?? {}
  const isTls = protocol === 'https:'
  if (url === null || hostname === '' || (!isTls && protocol !== 'http:')) {
    throw new TypeError(
      `baseUrl must be http://HOST:PORT, https://HOST:PORT or unix:/PATH, not ${JSON.stringify(text)}`,
    )
  }
  if (username !== '' || search !== '' || hash !== '') {
    throw new TypeError('baseUrl must have no user, query or fragment; a token is the option token')
  }
  return {
    isTls,
    where: {
      host: hostname.replace(/^\[|\]$/g, ''),
      ...(port === '' ? {} : { port: Number(port) }),
    },
    prefix: url.pathname.replace(/\/+$/, ''),
    place: url.origin,
  }
}
