/** The hosts that a rule is for, by which Traefik chooses the TLS options of a connection. */
import { isTemplate } from './template.ts'
import { scanRule, type RuleSyntax, type Token } from './rule.ts'

/** Null: the rule also matches requests of hosts that it does not name. `rule`: one that can be translated. */
export function hostsOfRule(rule: string, syntax: RuleSyntax): readonly string[] | null {
  const tokens = scanRule(rule)
  let at = 0
  let isOver = false

  function take(text: string): boolean {
    const token = tokens[at]
    if (token?.kind !== 'punctuation' || token.text !== text) return false
    at++
    return true
  }

  /** `||`: each of them must name its hosts. */
  function any(): readonly string[] | null {
    let hosts = all()
    while (take('||')) {
      const more = all()
      hosts = hosts === null || more === null ? null : [...hosts, ...more]
    }
    return hosts
  }

  /** `&&`: the first that names hosts is enough. */
  function all(): readonly string[] | null {
    let hosts = one()
    while (take('&&')) {
      const more = one()
      hosts ??= more
    }
    return hosts
  }

  function one(): readonly string[] | null {
    if (take('!')) {
      one()
      return null
    }
    if (take('(')) {
      const hosts = any()
      take(')')
      return hosts
    }
    const name = tokens[at++]
    if (name === undefined) isOver = true
    const values = argumentsFrom()
    return name !== undefined && isHost(name) ? namesAmong(values, syntax) : null
  }

  function argumentsFrom(): readonly string[] {
    const values: string[] = []
    if (!take('(')) return values
    while (at < tokens.length && !take(')')) {
      const token = tokens[at++]
      if (token?.kind === 'string') values.push(token.text)
    }
    return values
  }

  const hosts = any()
  return isOver || at < tokens.length || hosts === null ? null : [...new Set(hosts)]
}

function isHost({ kind, text }: Token): boolean {
  return kind === 'name' && ['host', 'hostheader'].includes(text.toLowerCase())
}

/** Null: one of them is a template. */
function namesAmong(values: readonly string[], syntax: RuleSyntax): readonly string[] | null {
  if (values.length === 0 || (syntax !== 'v3' && values.some(isTemplate))) return null
  return values.map((value) => value.toLowerCase())
}
