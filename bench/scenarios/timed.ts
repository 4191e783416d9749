/**
 * CPU time per request, side by side: all contenders are ready, and each round gives every one of them a window of load
 * in turn, so that other work of the machine affects all of them alike.
 */
import { openSite, reasonOf } from '../bench.ts'
import type { Bench } from '../bench.ts'
import { startContender } from '../contender.ts'
import type { Contender, Running } from '../contender.ts'
import { measure, warmUp } from '../load.ts'
import type { Generator, Sample, Shape } from '../load.ts'

export interface TimedEntry {
  readonly contender: string
  readonly title: string
  readonly routes: number
  readonly samples: readonly Sample[]
}

export interface TimedResult {
  readonly shape: Shape
  readonly generator: Generator
  readonly entries: readonly TimedEntry[]
  /** Who could not take part, and why. */
  readonly absent: readonly string[]
}

interface Seat {
  readonly contender: Contender
  readonly routes: number
}

/** One route, everybody. */
export function timeResponses(bench: Bench, shape: Shape): Promise<TimedResult> {
  const able = bench.contenders.filter(
    ({ tls, http2 }) => (tls || !shape.tls) && (http2 !== 'only' || shape.http2 !== undefined),
  )
  return time(
    bench,
    able.map((contender) => ({ contender, routes: 1 })),
    shape,
  )
}

/** With an access log of text in all of them. */
export function timeLogged(bench: Bench): Promise<TimedResult> {
  const contenders = bench.contenders.filter(({ logs }) => logs)
  return timeResponses({ ...bench, contenders, accessLog: true }, { response: '1k', tls: false })
}

/** Tables of several sizes, for those who can hold them. */
export function timeRoutes(bench: Bench): Promise<TimedResult> {
  const sizes = [1, ...bench.plan.routeCounts]
  const able = bench.contenders.filter(({ maxRoutes }) => maxRoutes > 1)
  const seats = able.flatMap((contender) =>
    sizes.filter((size) => size <= contender.maxRoutes).map((routes) => ({ contender, routes })),
  )
  const plan = { ...bench.plan, rounds: bench.plan.routeRounds }
  return time({ ...bench, plan }, seats, { response: '1k', tls: false })
}

/** The other load generator, one window each: its own figures for requests/s, p50 and p99. */
export async function timeWithAutocannon(bench: Bench): Promise<TimedResult> {
  const plan = { ...bench.plan, rounds: 1, windowSeconds: bench.plan.autocannonSeconds }
  return timeResponses({ ...bench, plan, generator: 'autocannon' }, { response: '1k', tls: false })
}

async function time(bench: Bench, seats: readonly Seat[], shape: Shape): Promise<TimedResult> {
  const { plan, generator } = bench
  const fleet: { running: Running; samples: Sample[] }[] = []
  const absent: string[] = []
  try {
    for (const { contender, routes } of seats) {
      try {
        const site = await openSite(bench, contender.name, routes)
        fleet.push({ running: await startContender(contender, site, { path: '/1k' }), samples: [] })
      } catch (error) {
        absent.push(`${contender.title} with ${routes} routes: ${reasonOf(error)}`)
      }
    }
    for (const { running } of fleet) {
      bench.say(await warmUp(running, shape, plan, generator))
    }
    for (let round = 1; round <= plan.rounds; round++) {
      bench.say(`round ${round} of ${plan.rounds}`)
      for (const { running, samples } of fleet) {
        samples.push(await measure(running, shape, plan.windowSeconds, generator))
      }
    }
  } finally {
    for (const { running } of fleet) await running.stop()
  }
  const entries = fleet.map(({ running: { contender, site }, samples }) => ({
    contender: contender.name,
    title: contender.title,
    routes: site.routes,
    samples,
  }))
  return { shape, generator, entries, absent }
}
