/** A strict reader of the Prometheus text format: every line must be a comment or a sample. */

/** By `name{label="value",...}` as written. */
export type Samples = ReadonlyMap<string, number>

const SAMPLE =
  /^([a-zA-Z_:][a-zA-Z0-9_:]*(?:\{(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\"n])*",?)*\})?) (-?[0-9.e+-]+|Na[Nn]|[+-]Inf)$/

export function parseExposition(text: string): Samples {
  const samples = new Map<string, number>()
  if (!text.endsWith('\n')) throw new Error('the last line has no end')
  for (const line of text.slice(0, -1).split('\n')) {
    if (line === '' || /^# (?:HELP|TYPE) [a-zA-Z_:]/.test(line)) continue
    const match = SAMPLE.exec(line)
    const [, name = '', value = ''] = match ?? []
    if (match === null) throw new Error(`not a sample: ${line}`)
    if (samples.has(name)) throw new Error(`twice: ${name}`)
    samples.set(name, Number(value.replace('Inf', 'Infinity')))
  }
  return samples
}
