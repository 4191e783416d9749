/** Makes a method of a class throw: faults are injected around the program, not by switches in it. */

export class Injected extends Error {}

type Method = (this: unknown, ...given: unknown[]) => unknown

/** Its n-th call from now on throws, once. */
export function arm(of: object, name: string, nth: number): { fired(): boolean; disarm(): void } {
  const methods = of as Record<string, Method>
  const original = methods[name]
  if (original === undefined) throw new Error(`there is no ${name} to make throw`)
  let calls = 0
  methods[name] = function (...given) {
    if (++calls === nth) throw new Injected(name)
    return original.apply(this, given)
  }
  return {
    fired: () => calls >= nth,
    disarm() {
      methods[name] = original
    },
  }
}
