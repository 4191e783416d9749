/** The scenarios by name, in the order they run in. Each adds its part to the results. */
import type { Bench } from '../bench.ts'
import type { Contender } from '../contender.ts'
import type { Plan } from '../plan.ts'
import type { Results } from '../results.ts'
import type { TcpContender } from '../tcp/contender.ts'
import { measureChanges, measureGrowth } from './change.ts'
import { measureHttp2Memory, measureMemory } from './memory.ts'
import { measureReady } from './ready.ts'
import { measureShare } from './share.ts'
import { measureTcpProxies } from './tcp.ts'
import { HTTP2_LOADS, timeHttp2 } from './http2.ts'
import { timeResponses, timeLogged, timeRoutes, timeWithAutocannon } from './timed.ts'

export interface Scenario {
  readonly name: string
  readonly title: string
  /** About Sluice alone: nothing to do when it does not take part. */
  readonly oursOnly?: true
  /** What --quick measures if no scenario is named. */
  readonly isQuick?: true
  readonly needs?: 'certificate' | 'autocannon' | 'tcp' | 'http2' | 'http2Origins'
  readonly run: (bench: Bench) => Promise<Partial<Results>>
}

export interface ScenarioWorld {
  readonly plan: Plan
  readonly contenders: readonly Contender[]
  readonly tcpContenders: readonly TcpContender[]
  readonly hasCertificate: boolean
  readonly hasH2load: boolean
  readonly hasHttp2Origins: boolean
}

/** Why the scenario could measure nothing; null: it can. */
export function whyNothing(
  { oursOnly, needs }: Scenario,
  { plan, contenders, tcpContenders, hasCertificate, hasH2load, hasHttp2Origins }: ScenarioWorld,
): string | null {
  if (needs !== 'tcp' && contenders.length === 0) return 'none of those who take part speaks HTTP'
  if (oursOnly && !contenders.some(({ name }) => name === 'ours')) {
    return 'it is about Sluice alone, which does not take part'
  }
  if (needs === 'certificate' && !hasCertificate) return 'there is no openssl to make a certificate'
  if (needs === 'certificate' && !contenders.some(({ tls }) => tls)) {
    return 'none of those who take part speaks TLS'
  }
  if (needs === 'http2' || needs === 'http2Origins') {
    if (!hasCertificate) return 'there is no openssl to make a certificate'
    if (!hasH2load) return 'there is no h2load (nghttp2-client on Debian)'
    if (contenders.every((contender) => contender[needs] === undefined)) {
      return 'none of those who take part speaks HTTP/2'
    }
  }
  if (needs === 'http2Origins' && !hasHttp2Origins) return 'there is no nginx to serve HTTP/2'
  if (needs === 'tcp' && tcpContenders.length === 0) {
    return 'none of those who take part relays TCP'
  }
  if (needs === 'autocannon' && plan.autocannonSeconds === 0) return 'it is left out of --quick'
  return null
}

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'small',
    title: 'browser-like request, 1 KiB response',
    isQuick: true,
    run: async (bench) => ({ small: await timeResponses(bench, { response: '1k', tls: false }) }),
  },
  {
    name: 'large',
    title: '100 KiB response',
    run: async (bench) => ({ large: await timeResponses(bench, { response: '100k', tls: false }) }),
  },
  {
    name: 'tls',
    title: 'TLS, 1 KiB response',
    isQuick: true,
    needs: 'certificate',
    run: async (bench) => ({ tls: await timeResponses(bench, { response: '1k', tls: true }) }),
  },
  {
    name: 'logged',
    title: 'browser-like request, 1 KiB response, with an access log',
    run: async (bench) => ({ logged: await timeLogged(bench) }),
  },
  {
    name: 'routes',
    title: 'tables of many host routes',
    run: async (bench) => ({ routes: await timeRoutes(bench) }),
  },
  {
    name: 'autocannon',
    title: 'requests/s and latency by autocannon',
    needs: 'autocannon',
    run: async (bench) => ({ autocannon: await timeWithAutocannon(bench) }),
  },
  {
    name: 'memory',
    title: 'memory per idle client connection',
    run: async (bench) => ({ memory: await measureMemory(bench) }),
  },
  {
    name: 'tcp',
    title: 'TCP: new connections, exchanges, bytes, idle connections',
    needs: 'tcp',
    run: async (bench) => ({ tcp: await measureTcpProxies(bench) }),
  },
  ...HTTP2_LOADS.map((load): Scenario => ({
    name: load.name,
    title: `HTTP/2 over TLS, ${load.title}`,
    needs: load.toOrigins === true ? 'http2Origins' : 'http2',
    run: async (bench) => ({ [load.name]: await timeHttp2(bench, load) }),
  })),
  {
    name: 'h2-idle',
    title: 'HTTP/2: memory per idle client connection, in clear and over TLS',
    needs: 'http2',
    run: async (bench) => ({ 'h2-idle': await measureHttp2Memory(bench) }),
  },
  {
    name: 'ready',
    title: 'a large table from a file to ready',
    oursOnly: true,
    run: async (bench) => ({ ready: await measureReady(bench) }),
  },
  {
    name: 'change',
    title: 'one change at a time among 10,000 routes under load',
    oursOnly: true,
    run: async (bench) => ({ change: await measureChanges(bench) }),
  },
  {
    name: 'grow',
    title: 'routes added one by one under 1,000 requests/s',
    oursOnly: true,
    run: async (bench) => ({ grow: await measureGrowth(bench) }),
  },
  {
    name: 'share',
    title: 'least-connections over unequal servers',
    oursOnly: true,
    run: async (bench) => ({ share: await measureShare(bench) }),
  },
]
