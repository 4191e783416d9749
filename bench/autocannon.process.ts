/** One run of autocannon with the bench's request, and its figures as one line of JSON. */
import autocannon from 'autocannon'
import type { LoadPlan, LoadResult } from './load.ts'
import { BROWSER_FIELDS, hostOf } from './request.ts'

const plan = JSON.parse(process.argv[2] ?? '') as LoadPlan
// Each of its requests is prepared up front: a sample of the hosts has to do.
const hosts = Array.from({ length: Math.min(plan.routes, 500) }, (_, i) =>
  hostOf(Math.floor((i * plan.routes) / Math.min(plan.routes, 500))),
)
const result = await autocannon({
  url: plan.url,
  connections: plan.connections,
  duration: plan.seconds,
  requests: hosts.map((host) => ({ headers: { ...BROWSER_FIELDS, Host: host } })),
})
const figures: LoadResult = {
  requests: result.requests.total,
  seconds: result.duration,
  p50Ms: result.latency.p50,
  p99Ms: result.latency.p99,
  errors: result.errors + result.timeouts + result.non2xx,
}
console.log(JSON.stringify(figures))
