/** Names for certificates: DNS names in ASCII, `*.` before one, or addresses. */
import { formatIp, parseIp } from './ip.ts'
import { bad, good, quote, type Scalar } from './parsed.ts'

const MAX_NAME = 253
/** RFC 5280 section 4.2.1.6 and RFC 1034 section 3.5: letters, digits and hyphens. */
const LABEL = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?'
const NAME = new RegExp(`^${LABEL}(?:\\.${LABEL})*$`)

/** In lower case, without the dot at its end; addresses in their canonical form. */
export function parseName(text: string): Scalar<string> {
  const ip = parseIp(text.replace(/^\[(.*)\]$/, '$1'))
  if (ip !== null) return good(formatIp(ip))
  const name = text.toLowerCase().replace(/\.$/, '')
  const plain = name.startsWith('*.') ? name.slice(2) : name
  return plain.length <= MAX_NAME && NAME.test(plain)
    ? good(name)
    : bad(`must hold names such as vote.example.com or *.example.com, not ${quote(text)}`)
}
