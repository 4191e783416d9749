/**
 * Puts values in the place of variables in a body that passes in pieces. Only the begin of what may become a variable is kept
 * between them. A value is escaped for the type of the body, so that it cannot end the text, attribute or string that it is in.
 */
import type { Exchange } from '../../http/exchange.ts'
import { headerOfVariable, LONGEST_VARIABLE, parseVariable } from './variables.ts'

/** Of all values of a body: a short variable could otherwise stand for a long header any number of times. */
const MOST_INSERTED_BYTES = 1024 * 1024
const OPEN = '{'.charCodeAt(0)
const MAY_BEGIN = /^\{\{[\s.]/

/** A server's text may hold what another user wrote, so these never become part of a page. */
const SECRET: ReadonlySet<string> = new Set(['authorization', 'cookie', 'proxy-authorization'])

type Escape = (value: string) => string

export class BodyVariables {
  readonly #exchange: Exchange
  readonly #escape: Escape
  /** The begin of what may be a variable. */
  #held = ''
  #room = MOST_INSERTED_BYTES

  /** `type`: Content-Type of the body. */
  constructor(exchange: Exchange, type: string | undefined) {
    this.#exchange = exchange
    this.#escape = escapeFor(type)
  }

  /** What can go on; it may be empty. */
  write(chunk: Buffer | string): Buffer | string {
    if (this.#held === '' && typeof chunk !== 'string' && !chunk.includes(OPEN)) return chunk
    const text = this.#held + (typeof chunk === 'string' ? chunk : chunk.toString('latin1'))
    this.#held = ''
    let out = ''
    let at = 0
    for (;;) {
      const open = text.indexOf('{', at)
      if (open < 0) break
      const window = text.slice(open, open + LONGEST_VARIABLE)
      const value = window.length < 3 ? 'wait' : this.#valueAt(window)
      if (value === 'wait') {
        this.#held = text.slice(open)
        return Buffer.from(out + text.slice(at, open), 'latin1')
      }
      out += text.slice(at, open) + (value === null ? '{' : value.text)
      at = open + (value === null ? 1 : value.length)
    }
    return Buffer.from(out + text.slice(at), 'latin1')
  }

  /** What is left at the end of the body. */
  end(): string {
    const rest = this.#held
    this.#held = ''
    return rest
  }

  /** Null: no variable begins here. `wait`: one may, and its end has not come. */
  #valueAt(window: string): { readonly text: string; readonly length: number } | 'wait' | null {
    if (!MAY_BEGIN.test(window)) return null
    const close = window.indexOf('}}')
    if (close < 0) return window.length < LONGEST_VARIABLE ? 'wait' : null
    const written = window.slice(0, close + 2)
    const variable = parseVariable(written)
    const header = headerOfVariable(written)
    if (variable === null || (header !== null && SECRET.has(header))) return null
    const text = this.#escape(variable(this.#exchange))
    if (text.length > this.#room) return null
    this.#room -= text.length
    return { text, length: written.length }
  }
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&#34;',
  "'": '&#39;',
}

/** A body without a type may be read as HTML. */
function escapeFor(type: string | undefined): Escape {
  const name = type?.split(';', 1)[0]?.trim().toLowerCase() ?? ''
  if (/(?:json|javascript|ecmascript)$/.test(name)) return escapeInString
  if (name === '' || /(?:html|xml)$/.test(name)) return escapeMarkup
  return (value) => value
}

function escapeMarkup(value: string): string {
  return value.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '')
}

/** In a string of JSON or JavaScript, in any quotes. */
function escapeInString(value: string): string {
  return value.replace(
    /["'`\\<>&$\u0000-\u001f]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
