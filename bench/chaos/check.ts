/** A bar and what was found: a line of the table. */
export interface Check {
  /** The scenario. */
  readonly of: string
  readonly bar: string
  readonly found: string
  /** Null: a figure without a bar. */
  readonly isMet: boolean | null
}

export function ms(value: number | null): string {
  if (value === null) return 'never'
  return `${value.toFixed(value < 100 ? 1 : 0)} ms`
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(2)} %`
}
