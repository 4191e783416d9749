/** Requests that are malformed (RFC 9113 8). */
import { requestFields } from '../client.ts'
import { dataFrame, headersFrame } from '../frames.ts'
import { block } from '../hpack.ts'
import { get, head, post, refuses, type Case } from './case.ts'

const METHOD = [':method', 'GET'] as const
const SCHEME = [':scheme', 'http'] as const
const PATH = [':path', '/'] as const
const AUTHORITY = [':authority', 'test.example'] as const

export const MESSAGES: readonly Case[] = [
  refuses(
    'RFC 9113 8.1: a second HEADERS without END_STREAM is malformed',
    post(),
    dataFrame(1, 'test'),
    headersFrame(1, block(['x-test', 'ok'])),
  ),
  refuses('RFC 9113 8.2.1: a name with capitals is malformed', get(1, [['X-Test', 'ok']])),
  refuses('RFC 9113 8.3: an unknown pseudo-field is malformed', get(1, [[':test', 'ok']])),
  refuses('RFC 9113 8.3: the pseudo-field of responses is malformed', get(1, [[':status', '200']])),
  refuses(
    'RFC 9113 8.1: a pseudo-field in trailers is malformed',
    post(),
    dataFrame(1, 'test'),
    headersFrame(1, block([':method', 'POST']), { end: true }),
  ),
  refuses(
    'RFC 9113 8.3: a pseudo-field after a field is malformed',
    head(['x-test', 'ok'], ...requestFields()),
  ),
  refuses('RFC 9113 8.2.2: Connection is malformed', get(1, [['connection', 'keep-alive']])),
  refuses(
    'RFC 9113 8.2.2: TE with more than trailers is malformed',
    get(1, [['te', 'trailers, deflate']]),
  ),
  refuses(
    'RFC 9113 8.3.1: an empty :path is malformed',
    head(METHOD, SCHEME, [':path', ''], AUTHORITY),
  ),
  refuses('RFC 9113 8.3.1: a request without :method is malformed', head(SCHEME, PATH, AUTHORITY)),
  refuses('RFC 9113 8.3.1: a request without :scheme is malformed', head(METHOD, PATH, AUTHORITY)),
  refuses('RFC 9113 8.3.1: a request without :path is malformed', head(METHOD, SCHEME, AUTHORITY)),
  refuses('RFC 9113 8.3: two :method are malformed', head(METHOD, SCHEME, PATH, AUTHORITY, METHOD)),
  refuses('RFC 9113 8.3: two :scheme are malformed', head(METHOD, SCHEME, PATH, AUTHORITY, SCHEME)),
  refuses('RFC 9113 8.3: two :path are malformed', head(METHOD, SCHEME, PATH, AUTHORITY, PATH)),
  refuses(
    'RFC 9113 8.1.1: DATA longer than Content-Length is malformed',
    post(1, [['content-length', '1']]),
    dataFrame(1, 'test', { end: true }),
  ),
  refuses(
    'RFC 9113 8.1.1: several DATA longer than Content-Length are malformed',
    post(1, [['content-length', '1']]),
    dataFrame(1, 'test'),
    dataFrame(1, 'test', { end: true }),
  ),
]
