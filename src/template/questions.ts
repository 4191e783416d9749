/**
 * What a template asks that takes time: names of DNS, and values that are sealed. The evaluation does not wait. It notes the question
 * and goes on with an empty answer; once all noted questions are answered, the template is evaluated again with the answers.
 */

export type Question =
  | { readonly kind: 'addresses'; readonly name: string }
  /** `service` and `protocol` are empty where the name has them already. */
  | {
      readonly kind: 'services'
      readonly service: string
      readonly protocol: string
      readonly name: string
    }
  /** The sealed value of this key. */
  | { readonly kind: 'opened'; readonly key: string }

export interface ServiceAnswer {
  readonly target: string
  readonly port: number
  readonly priority: number
  readonly weight: number
}

export type Answer =
  | { readonly kind: 'addresses'; readonly addresses: readonly string[] }
  | { readonly kind: 'services'; readonly services: readonly ServiceAnswer[] }
  | { readonly kind: 'opened'; readonly text: string }
  /** Why the value cannot be opened. */
  | { readonly kind: 'fault'; readonly reason: string }

/** By `idOf`. */
export type Answers = ReadonlyMap<string, Answer>

export interface Asking {
  /** Null: it is not answered yet. */
  ask(question: Question): Answer | null
  /** Each once. */
  readonly open: readonly Question[]
}

export function idOf(question: Question): string {
  return JSON.stringify(question)
}

export function createAsking(answers: Answers): Asking {
  const open = new Map<string, Question>()
  return {
    ask(question) {
      const id = idOf(question)
      const answer = answers.get(id)
      if (answer === undefined) open.set(id, question)
      return answer ?? null
    },
    get open() {
      return [...open.values()]
    },
  }
}
