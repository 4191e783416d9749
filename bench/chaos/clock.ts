/** The monotonic clock of the machine, ms: the same in every process, so that what each of them notes can be laid side by side. */
export function clockMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
