/** Templates of Go's language by a seed: most are valid, many fail as they run, some are nearly a template. */

export interface Generated {
  readonly template: string
  readonly data: unknown
}

const DATA = {
  name: 'vote',
  empty: '',
  umlaut: 'größe <&"\'> 日本',
  port: 8080,
  ratio: 0.25,
  big: 12345678.5,
  minus: -3,
  zero: 0,
  yes: true,
  no: false,
  nothing: null,
  list: ['b', 'a', 'c'],
  numbers: [3, 1.5, -2],
  mixed: [1, 'x', null, true, [2], { k: 'v' }],
  none: [],
  map: { z: 1, a: 'x', é: null, m: { deep: 'down', list: [1, 2] } },
  void: {},
  servers: [
    { id: 's1', url: 'http://10.0.0.1:80', weight: 1, tags: ['x', 'y'] },
    { id: 's2', url: 'http://10.0.0.2:80', weight: 2.5, tags: [] },
  ],
}
const FIELDS = [...Object.keys(DATA), 'map.m', 'map.m.deep', 'map.m.list', 'missing', 'missing.x']
const INNER = ['id', 'url', 'weight', 'tags', 'k', 'deep', 'missing', 'name']
type Type = 'any' | 'float' | 'int' | 'list' | 'map' | 'string'

const TYPED: Readonly<Record<Exclude<Type, 'any'>, readonly string[]>> = {
  float: ['$.port', '$.ratio', '$.big', '$.minus', '1.5', '2.0', '1e21', '$.zero', '0x1p-2'],
  int: [
    '0',
    '1',
    '2',
    '-1',
    '7',
    "'a'",
    '0x1F',
    '(len $.list)',
    '(add 2 3)',
    '9223372036854775807',
  ],
  list: ['$.list', '$.numbers', '$.mixed', '$.servers', '$.none', '(seq 1 4)', '(split "b,a" ",")'],
  map: ['$.map', '$.map.m', '$.void', '$', '(map "a" 1)', '(index $.servers 0)'],
  string: [
    '$.name',
    '$.umlaut',
    '$.empty',
    '"a"',
    '"größe"',
    '`r"w`',
    '$.map.m.deep',
    '"x,y,,z"',
    '"m"',
  ],
}
/** What takes the value of a command, and of which type. */
const STAGES: readonly (readonly [Type, string])[] = [
  ...(['len', 'index $.list', 'add 1'] as const).map((stage) => ['int', stage] as const),
  ...(['print', 'html', 'js', 'urlquery', 'not', 'printf "%v"', 'printf "%d<%s>" 1'] as const).map(
    (stage) => ['any', stage] as const,
  ),
  ...(['and 1', 'or ""', 'println 1', 'map "p"', 'eq nil'] as const).map(
    (stage) => ['any', stage] as const,
  ),
  ...(['toUpper', 'split "a,b"', 'index $.map', 'eq "a"', 'len', 'html'] as const).map(
    (stage) => ['string', stage] as const,
  ),
]
const COMPARE = ['eq', 'ne', 'lt', 'le', 'gt', 'ge']
const STRINGS = [
  '"a"',
  '"vote"',
  '`raw "x"`',
  '"\\t\\u00e9\\x41"',
  '""',
  '"größe"',
  '"%v"',
  '"x,y,,z"',
]
const NUMBERS = [
  '0',
  '1',
  '2',
  '-1',
  '3.0',
  '1.5',
  '0x1F',
  '1e3',
  '017',
  '0b11',
  "'a'",
  '1_000',
  '100000000',
]
const VERBS = 'v v v s d q x X t T c U f e g o b'.split(' ')
const FLAGS = ['', '', '', '', '5', '-6', '05', '+', '#', ' ', '.2', '8.3', '+5', '-', '3.']
const BROKEN = [
  '{{',
  '}}',
  '{{end}}',
  '{{else}}',
  '{{.',
  '{{$nope}}',
  '{{"',
  '{{/*',
  '{{break}}',
  '{{1 2 |',
  '{{nosuch}}',
  '{{.x.}}',
  '{{:=}}',
  '{{range}}',
  '{{(1}}',
  '{{1)}}',
  '{{$x := 1, 2}}',
  '{{nil}}',
  '{{define "d"}}',
  '{{template x}}',
  '{{-}}',
  "{{'ab'}}",
  '{{09}}',
]

export function generate(seed: number): Generated {
  const random = createRandom(seed)
  const variables: string[] = ['$']
  let ranges = 0
  const templates: string[] = []

  const chance = (percent: number): boolean => random(100) < percent
  function pick<T>(items: readonly T[]): T {
    const item = items[random(items.length)]
    if (item === undefined) throw new Error('there is nothing to pick from')
    return item
  }

  function list(depth: number): string {
    const before = variables.length
    let text = ''
    for (let count = 1 + random(4); count > 0; count--) text += node(depth)
    variables.length = before
    return text
  }

  function node(depth: number): string {
    const kind = random(depth <= 0 ? 55 : 100)
    if (kind < 15) return pick(['text ', ' \n\t', 'a-b', '} { ', '\n'])
    if (kind < 48) return braces(pipeline(2))
    if (kind < 55) return declaration()
    if (kind < 57 && ranges > 0) return braces(pick(['break', 'continue']))
    if (kind < 59)
      return braces('/* a comment */')
        .replace(/\{\{ +/, '{{')
        .replace(/ +\}\}/, '}}')
    if (kind < 72) return branch('if', depth)
    if (kind < 80) return branch('with', depth)
    if (kind < 96) return range(depth)
    if (kind < 98 && templates.length > 0)
      return braces(`template ${pick(templates)} ${pipeline(1)}`)
    return `${braces(`block "b${random(1000)}" ${pipeline(1)}`)}${outside(depth)}${braces('end')}`
  }

  /** A block sees no variable of what is around it. */
  function outside(depth: number): string {
    const [kept, outer] = [variables.splice(1), ranges]
    ranges = 0
    const text = list(depth - 2)
    variables.splice(1, Infinity, ...kept)
    ranges = outer
    return text
  }

  function declaration(): string {
    if (variables.length > 1 && chance(40))
      return braces(`${pick(variables.slice(1))} = ${pipeline(1)}`)
    const name = `$${pick(['x', 'y', 'long_name', 'é'])}`
    const text = braces(`${name} := ${pipeline(1)}`)
    variables.push(name)
    return text
  }

  function branch(kind: 'if' | 'with', depth: number): string {
    const before = variables.length
    const name = chance(15) ? `$${pick(['v', 'w'])}` : null
    let text = braces(`${kind} ${name === null ? '' : `${name} := `}${pipeline(2)}`)
    if (name !== null) variables.push(name)
    text += list(depth - 1)
    if (kind === 'if' && chance(25)) text += braces(`else if ${pipeline(1)}`) + list(depth - 1)
    if (chance(40)) text += braces('else') + list(depth - 1)
    variables.length = before
    return text + braces('end')
  }

  function range(depth: number): string {
    const before = variables.length
    const names = pick([[], [], ['$e'], ['$i', '$e']])
    const over = chance(80)
      ? pick([
          '$.list',
          '$.numbers',
          '$.mixed',
          '$.map',
          '$.servers',
          '$.none',
          'seq 1 3',
          '$',
          '.',
        ])
      : pipeline(1)
    let text = braces(`range ${names.join(', ')}${names.length > 0 ? ' := ' : ''}${over}`)
    variables.push(...names)
    ranges++
    text += list(depth - 1)
    ranges--
    if (chance(25)) text += braces('else') + list(depth - 1)
    variables.length = before
    return text + braces('end')
  }

  function braces(inner: string): string {
    const open = chance(12) ? '{{- ' : chance(30) ? '{{ ' : '{{'
    const close = chance(12) ? ' -}}' : chance(30) ? ' }}' : '}}'
    return `${open}${inner}${close}`
  }

  function pipeline(depth: number): string {
    if (chance(75)) return command(depth)
    const [type, stage] = pick(STAGES)
    return `${type === 'any' ? command(depth) : operand(depth, type)} | ${stage}`
  }

  function command(depth: number): string {
    if (depth <= 0 || chance(40)) return operand(depth)
    const arg = (type: Type = 'any'): string => operand(depth - 1, type)
    const same = pick(['int', 'float', 'string'] as const)
    switch (random(16)) {
      case 0:
      case 1:
        return `${pick(COMPARE)} ${arg(same)} ${arg(same)}`
      case 2:
        return `eq ${arg(same)} ${arg(same)} ${arg(same)}`
      case 3:
        return `${pick(['and', 'or'])} ${arg()} ${arg()}${chance(30) ? ` ${arg()}` : ''}`
      case 4:
        return `not ${arg()}`
      case 5:
        return `len ${arg(pick(['list', 'map', 'string']))}`
      case 6:
        return chance(50)
          ? `index ${arg('list')} ${arg('int')}`
          : `index ${arg('map')} ${arg('string')}`
      case 7:
        return `slice ${pick(['$.list', '$.none', '$.name', '"vote"', '(seq 1 4)'])} ${pick(['0', '1', '0 1', '1 2', '', '1 1 1', '2 1', '9', '-1'])}`
      case 8:
      case 9:
      case 10:
        return printf(arg)
      case 11:
        return `${pick(['print', 'println', 'html', 'js', 'urlquery'])} ${arg()} ${arg()}`
      case 12:
        return `${pick(['add', 'sub', 'mul', 'div', 'mod'])} ${arg('int')} ${arg('int')}`
      case 13:
        return `join (split ${arg('string')} ${pick(['","', '""', '"a"'])}) ${arg('string')}`
      case 14:
        return pick([
          ...[
            `toUpper ${arg('string')}`,
            `contains $.name ${arg('string')}`,
            `base ${arg('string')}`,
          ],
          ...[`dir ${pick(['"/a/b/../c"', '"a"', '"/"', '"a//b/"', arg('string')])}`],
          ...[`atoi ${pick(['"12"', '"-0"', '"+7"', '" 1"', arg('string')])}`],
          ...[
            `parseBool ${pick(['"t"', '"False"', '"yes"'])}`,
            `trimSuffix $.name ${arg('string')}`,
          ],
          ...[`replace $.name ${arg('string')} ${arg('string')} ${pick(['-1', '0', '1', '3'])}`],
        ])
      default:
        return `map "k" ${arg()} ${arg('string')} ${arg()}`
    }
  }

  function printf(arg: (type?: Type) => string): string {
    const formats = Array.from({ length: 1 + random(3) }, () => `%${pick(FLAGS)}${pick(VERBS)}`)
    if (chance(10))
      formats.push(pick(['%', '%[1]v', '%[3]d', '%*d', '%-*.*f', '%!', '%[x]v', '%5%', '%w']))
    const text = `"${pick(['', 'a ', 'ü'])}${formats.join(pick([' ', '|', '%%']))}"`
    const args = formats.map(() => arg(pick(['any', 'any', 'int', 'float', 'string', 'list'])))
    return `printf ${text} ${args.join(' ')}${chance(8) ? ` ${arg()}` : ''}`
  }

  function operand(depth: number, type: Type = 'any'): string {
    const kind = random(100)
    // Now and then what no parameter of that type takes.
    if (type !== 'any' && kind < 92) {
      if (type === 'int' && depth > 0 && chance(25)) return `(len ${operand(0, 'list')})`
      return pick(TYPED[type])
    }
    if (kind < 34) return `$.${pick(FIELDS)}`
    if (kind < 44) return '.'
    if (kind < 48) return `.${pick([...INNER, ...FIELDS])}`
    if (kind < 60) return pick(variables)
    if (kind < 61) return `${pick(variables)}.${pick([...FIELDS, ...INNER])}`
    if (kind < 73) return pick(STRINGS)
    if (kind < 85) return pick(NUMBERS)
    if (kind < 88) return pick(['true', 'false', 'nil'])
    if (depth <= 0) return pick(NUMBERS)
    return `(${pipeline(depth - 1)})${chance(4) ? `.${pick(INNER)}` : ''}`
  }

  let template = ''
  if (chance(20)) {
    for (const name of ['one', 'two']) {
      ranges = 0
      template += `${braces(`define "${name}"`)}${list(1)}${braces('end')}`
      templates.push(`"${name}"`)
    }
  }
  template += list(3)
  if (chance(4)) {
    const at = random(template.length + 1)
    template = template.slice(0, at) + pick(BROKEN) + template.slice(at + random(3))
  }
  return { template, data: DATA }
}

/** Numbers below a bound (mulberry32). */
function createRandom(seed: number): (below: number) => number {
  let state = Math.imul(seed, 0x9e3779b1) | 0
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}
