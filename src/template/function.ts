/** What a template may call. */
import type { Value } from './value.ts'

/** A type that a parameter takes; `any` takes everything, also nothing. */
export type Parameter = 'any' | 'bool' | 'int' | 'string' | '[]string' | '[]memkv.KVPair'

export interface TemplateFunction {
  readonly parameters: readonly Parameter[]
  /** Of the arguments behind those, as many as there are. */
  readonly rest?: Parameter
  /** @throws {TemplateError} what is wrong with the arguments */
  readonly call: (args: readonly Value[]) => Value
}

export type Functions = ReadonlyMap<string, TemplateFunction>

export function declare(
  parameters: readonly Parameter[],
  call: (...args: Value[]) => Value,
  rest?: Parameter,
): TemplateFunction {
  const called = (args: readonly Value[]): Value => call(...args)
  return rest === undefined ? { parameters, call: called } : { parameters, rest, call: called }
}
