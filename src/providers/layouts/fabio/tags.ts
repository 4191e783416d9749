/** fabio's tags of a service, `urlprefix-host/path opts`, as the commands that fabio makes of them. */
import { bracketHost } from '../../../model/address.ts'
import { type Command, type Options, parseOptions, parseWeight } from './command.ts'

/** One instance of a service, as a registry has it. */
export interface TaggedService {
  readonly service: string
  /** Of the instance, or of its node if the instance has none. */
  readonly host: string
  readonly port: number
  readonly tags: readonly string[]
  /** For messages: `service web (web-1)`. */
  readonly key: string
  /** What `${DC}` and `$DC` become. */
  readonly datacentre?: string
  /** False: its routes exist, but it gets no requests, for example while a check fails. Normally true. */
  readonly isServing?: boolean
}

const TAG_PREFIX = 'urlprefix-'

export function hasFabioTag(tags: readonly string[], prefix: string = TAG_PREFIX): boolean {
  return tags.some((tag) => tag.trim().startsWith(prefix))
}

/** `prefix`: fabio's `registry.consul.tagprefix`. Other tags are those that `route del` and `route weight` compare. */
export function readTags(instance: TaggedService, prefix: string = TAG_PREFIX): readonly Command[] {
  const tags = instance.tags.map((tag) => tag.trim())
  const others = tags.filter((tag) => !tag.startsWith(prefix))
  return tags
    .filter((tag) => tag.startsWith(prefix))
    .map((tag) => readTag(instance, tag.slice(prefix.length).trim(), others))
}

function readTag(instance: TaggedService, tag: string, tags: readonly string[]): Command {
  const { service, host, port, key, datacentre = '', isServing = true } = instance
  const origin = { key }
  const [written = ''] = tag.split(/\s/, 1)
  const source = readSource(written, datacentre)
  const all = parseOptions(tag.slice(written.length))
  const weight = parseWeight(all.get('weight') ?? '0')
  const [code = '', url = '', ...more] = (all.get('redirect') ?? '').split(',')
  const isRedirect = all.has('redirect')
  const reason = !weight.ok
    ? weight.reason
    : source === ''
      ? 'a tag needs a host or a path, as in urlprefix-host/path'
      : isRedirect && (url === '' || more.length > 0)
        ? 'redirect must be redirect=CODE,URL'
        : null
  if (reason !== null || !weight.ok) return { kind: 'bad', source, reason: reason ?? '', origin }
  const options = without(all, 'weight')
  if (isRedirect) options.set('redirect', code)
  return {
    ...{ kind: 'add', service, source, weight: weight.value, tags, options, origin, isServing },
    destination: isRedirect ? url : `http://${bracketHost(host)}:${port}/`,
  }
}

/** The host in lower case, with the datacentre in it. */
function readSource(written: string, datacentre: string): string {
  const slash = written.indexOf('/')
  if (slash === -1 || written.startsWith(':')) return written.toLowerCase()
  const host = expand(written.slice(0, slash), datacentre).toLowerCase()
  return host + expand(written.slice(slash), datacentre)
}

/** As Go's os.Expand: any other name is empty. */
function expand(text: string, datacentre: string): string {
  return text.replace(/\$(?:\{([^}]*)\}|([A-Za-z0-9_]+))/g, (_, braced?: string, bare?: string) =>
    (braced ?? bare) === 'DC' ? datacentre : '',
  )
}

function without(options: Options, name: string): Map<string, string> {
  const rest = new Map(options)
  rest.delete(name)
  return rest
}
