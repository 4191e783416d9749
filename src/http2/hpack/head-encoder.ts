/**
 * HPACK encoding (RFC 7541) of heads from text, lines `Name: value CRLF` as the HTTP/1 side keeps them. Names become lower case;
 * fields of a hop (Connection, Transfer-Encoding ...) are dropped.
 */
export class HeadEncoder {
  /** How many bytes a head may take at most. */
  static room(textLength: number): number {
    return 2 * textLength + 128
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. */
  resize(_bytes: number): void {
    throw new Error('not there yet')
  }

  /** `contentLength`: -1 for none. Returns the position behind the block. */
  response(
    _out: Buffer,
    _at: number,
    _status: number,
    _contentLength: number,
    _fields: string,
  ): number {
    throw new Error('not there yet')
  }

  request(_out: Buffer, _at: number, _line: RequestLine, _fields: string): number {
    throw new Error('not there yet')
  }

  trailers(_out: Buffer, _at: number, _fields: string): number {
    throw new Error('not there yet')
  }
}

/** What HTTP/2 has in place of a request line. */
export interface RequestLine {
  readonly method: string
  /** '' for CONNECT without `protocol`, as `path`. */
  readonly scheme: string
  readonly authority: string
  readonly path: string
  /** RFC 8441; '' usually. */
  readonly protocol: string
  /** -1 for none. */
  readonly contentLength: number
}
