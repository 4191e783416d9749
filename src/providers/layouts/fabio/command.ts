/**
 * fabio's commands, which build its routing table in their order:
 *
 *   route add SERVICE HOST/PATH DESTINATION [weight 0.5] [tags "a,b"] [opts "strip=/x proto=https"]
 *   route del SERVICE [HOST/PATH [DESTINATION]]    route del [SERVICE] tags "a,b"
 *   route weight [SERVICE] HOST/PATH weight 0.5 [tags "a,b"]
 *
 * fabio rejects a text with one wrong line as a whole; here the line alone is set aside.
 */
import { type Scalar, bad, good, quote } from '../../../model/parsed.ts'

/** Where a command is written. */
export interface Origin {
  /** `/fabio/config`, or a service of a registry. */
  readonly key: string
  readonly line?: number
}

export type Options = ReadonlyMap<string, string>

export interface AddCommand {
  readonly kind: 'add'
  readonly service: string
  /** `host/path`, `/path`, `host` or `:port`. */
  readonly source: string
  /** A URL. */
  readonly destination: string
  /** The share of the route's requests; 0: an equal part of what is left. */
  readonly weight: number
  readonly tags: readonly string[]
  readonly options: Options
  readonly origin: Origin
  /** False: the route exists, but this destination gets no requests. */
  readonly isServing: boolean
}

export type Command =
  | AddCommand
  | {
      readonly kind: 'del'
      /** '' for any. */
      readonly service: string
      readonly source: string
      readonly destination: string
      readonly tags: readonly string[]
      readonly origin: Origin
    }
  | {
      readonly kind: 'weight'
      readonly service: string
      readonly source: string
      readonly weight: number
      readonly tags: readonly string[]
      readonly origin: Origin
    }
  /** A line that cannot be read; `source` is '' if that is unknown, too. */
  | {
      readonly kind: 'bad'
      readonly source: string
      readonly reason: string
      readonly origin: Origin
    }

/** Further lines are one bad command. */
const MAX_COMMANDS = 20_000
const MAX_LINE = 8_192

const ADD = line(
  'route add (\\S+) (\\S+) (\\S+)(?: weight (\\S+))?(?: tags "([^"]*)")?(?: opts "([^"]*)")?',
)
const DEL_TAGS = line('route del(?: (\\S+))? tags "([^"]*)"')
const DEL = line('route del (\\S+)(?: (\\S+)(?: (\\S+))?)?')
const WEIGHT = line('route weight (\\S+) (\\S+) weight (\\S+)(?: tags "([^"]*)")?')
const WEIGHT_OF_ANY = line('route weight (\\S+) weight (\\S+) tags "([^"]*)"')

export function readCommands(text: string, key: string): readonly Command[] {
  const commands: Command[] = []
  for (const [at, written] of text.split('\n').entries()) {
    const line = written.trim()
    if (line === '' || line.startsWith('#') || line.startsWith('//')) continue
    const origin = { key, line: at + 1 }
    if (commands.length === MAX_COMMANDS) {
      const reason = `has more than ${MAX_COMMANDS} commands; those from line ${at + 1} on are not read`
      return [...commands, { kind: 'bad', source: '', reason, origin }]
    }
    commands.push(line.length > MAX_LINE ? tooLong(origin) : readCommand(line, origin))
  }
  return commands
}

function tooLong(origin: Origin): Command {
  return {
    kind: 'bad',
    source: '',
    reason: `line ${origin.line} is longer than ${MAX_LINE}`,
    origin,
  }
}

function readCommand(line: string, origin: Origin): Command {
  const [, verb = ''] = /^route\s+(\w+)/.exec(line) ?? []
  const read =
    verb === 'add' ? readAdd : verb === 'del' ? readDel : verb === 'weight' ? readWeight : null
  const found =
    read === null ? bad('a line begins with route add, del or weight') : read(line, origin)
  if (found.ok) return found.value
  const [, source = ''] = /^route\s+add\s+\S+\s+(\S+)/.exec(line) ?? []
  return { kind: 'bad', source, reason: `line ${origin.line}: ${found.reason}`, origin }
}

function readAdd(line: string, origin: Origin): Scalar<Command> {
  const match = ADD.exec(line)
  if (match === null) {
    return bad('must be route add SERVICE HOST/PATH URL [weight W] [tags "..."] [opts "..."]')
  }
  const [, service = '', source = '', written = '', weight, tags, opts] = match
  const share = parseWeight(weight ?? '0')
  if (!share.ok) return share
  const { destination, options } = toRedirect(written, parseOptions(opts ?? ''))
  return good({
    ...{ kind: 'add', service, source, destination, weight: share.value },
    ...{ tags: splitTags(tags), options, origin, isServing: true },
  })
}

/** `redirect=301,https://a.com`, the form of tags: fabio ignores it in a command, and forwards what was meant to be redirected. */
function toRedirect(
  destination: string,
  options: Options,
): { readonly destination: string; readonly options: Options } {
  const [code = '', url, ...more] = (options.get('redirect') ?? '').split(',')
  if (url === undefined || more.length > 0) return { destination, options }
  return { destination: url, options: new Map([...options, ['redirect', code]]) }
}

function readDel(line: string, origin: Origin): Scalar<Command> {
  const tagged = DEL_TAGS.exec(line)
  if (tagged !== null) {
    const [, service = '', tags] = tagged
    const wanted = splitTags(tags)
    if (wanted.length === 0) return bad('names no tags')
    return good({ kind: 'del', service, source: '', destination: '', tags: wanted, origin })
  }
  const match = DEL.exec(line)
  if (match === null) return bad('must be route del SERVICE [HOST/PATH [URL]], or tags "..."')
  const [, service = '', source = '', destination = ''] = match
  return good({ kind: 'del', service, source, destination, tags: [], origin })
}

function readWeight(line: string, origin: Origin): Scalar<Command> {
  const any = WEIGHT_OF_ANY.exec(line)
  const match = any === null ? WEIGHT.exec(line) : [any[0], '', ...any.slice(1)]
  if (match === null) {
    return bad('must be route weight [SERVICE] HOST/PATH weight W [tags "..."]')
  }
  const [, service = '', source = '', weight = '', tags] = match
  const share = parseWeight(weight)
  if (!share.ok) return share
  return good({
    kind: 'weight',
    service,
    source,
    weight: share.value,
    tags: splitTags(tags),
    origin,
  })
}

/** Shares are scaled to 1 in the end. */
const MAX_WEIGHT = 1e9

/** A number below 0 is none, as in fabio. */
export function parseWeight(text: string): Scalar<number> {
  if (text.length > 32 || !/^[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?$/.test(text)) {
    return bad(`the weight must be a number such as 0.25, not ${quote(text)}`)
  }
  return good(Math.min(MAX_WEIGHT, Math.max(0, Number(text))))
}

/** The last of two options with one name counts. */
export function parseOptions(text: string): Options {
  const words = text.split(/\s+/).filter((word) => word !== '')
  return new Map(
    words.map((word) => {
      const [name = ''] = word.split('=', 1)
      return [name, word.slice(name.length + 1)]
    }),
  )
}

function splitTags(text: string | undefined): readonly string[] {
  return text === undefined || text === '' ? [] : text.split(',').map((tag) => tag.trim())
}

/** A space stands for any white space. */
function line(pattern: string): RegExp {
  return new RegExp(`^${pattern.replaceAll(' ', '\\s+')}$`)
}
