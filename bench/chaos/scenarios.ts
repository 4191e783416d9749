/** All scenarios by name, in the order in which they run: each gives what it found and what to say of it. */
import { type AgentRegistry, judgeAgent, runAgent } from './agent.ts'
import type { Lab } from './arena.ts'
import { judgeBreaker, runBreaker } from './breaker.ts'
import type { Check } from './check.ts'
import { judgeCost, runCost } from './cost.ts'
import { judgeAttacks, runAttacks } from './http2-attacks.ts'
import { judgeKeys, runKeys } from './keys.ts'
import { judgeFault, runFault } from './one-of-four.ts'
import type { FaultName } from './one-of-four.ts'
import { judgeRate, runRate } from './rate.ts'
import { judgeScale, runScale } from './scale.ts'
import { judgeSlow, runSlow } from './slow.ts'
import { judgeSlowAdmin, runSlowAdmin } from './slow-admin.ts'
import { judgeStorm, runStorm } from './storm.ts'
import { judgeTcpKill, runTcpKill } from './tcp-kill.ts'
import { judgeUpgrade, runUpgrade } from './upgrade.ts'

export interface Outcome {
  /** As it goes into the JSON file. */
  readonly found: object
  readonly checks: readonly Check[]
}

export type Scenario = (lab: Lab) => Promise<Outcome>

export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  kill: ofFault('kill'),
  restart: ofFault('restart'),
  hang: ofFault('hang'),
  fail: ofFault('fail'),
  reset: ofFault('reset'),
  truncate: ofFault('truncate'),
  garbage: ofFault('garbage'),
  refuse: ofFault('refuse'),
  'close-on-accept': ofFault('close-on-accept'),
  'slow-ewma': scenario((lab) => runSlow(lab, 'peak-ewma'), judgeSlow),
  'slow-least': scenario((lab) => runSlow(lab, 'least-connections'), judgeSlow),
  'storm-errors': scenario((lab) => runStorm(lab, 'errors'), judgeStorm),
  'storm-reset': scenario((lab) => runStorm(lab, 'reset'), judgeStorm),
  breaker: scenario(runBreaker, judgeBreaker),
  rate: scenario(runRate, judgeRate),
  keys: scenario(runKeys, judgeKeys),
  'tcp-kill': scenario(runTcpKill, judgeTcpKill),
  upgrade: scenario(runUpgrade, judgeUpgrade),
  'slow-admin': scenario(runSlowAdmin, judgeSlowAdmin),
  agent: ofAgent('etcd'),
  'agent-redis': ofAgent('redis'),
  'agent-zookeeper': ofAgent('zookeeper'),
  'agent-consul': ofAgent('consul'),
  scale: scenario(runScale, judgeScale),
  'http2-attacks': scenario(runAttacks, judgeAttacks),
  // Keeps the bench on one core from there on.
  cost: scenario(runCost, judgeCost),
}

/** What each of them does. */
export const TITLES: Readonly<Record<keyof typeof SCENARIOS, string>> = {
  kill: 'one of four servers is killed',
  restart: 'one of four is killed and started again',
  hang: 'one of four takes connections and sends nothing',
  fail: 'one of four returns 500',
  reset: 'one of four resets connections',
  truncate: 'one of four cuts its responses',
  garbage: 'one of four sends garbage',
  refuse: 'one of four refuses connections',
  'close-on-accept': 'one of four closes what it accepts',
  'slow-ewma': 'one of four is slow, with peak-ewma',
  'slow-least': 'one of four is slow, with least-connections',
  'storm-errors': 'all servers return errors: how many attempts are made',
  'storm-reset': 'all servers reset: how many attempts are made',
  breaker: 'a breaker trips and recovers',
  rate: 'a rate limit is exact over all threads',
  keys: 'a flood of keys stays in its memory',
  'tcp-kill': 'one of three servers of 10,000 TCP connections is killed',
  upgrade: 'five live upgrades in a row',
  'slow-admin': 'a thousand slow connections to the admin',
  agent: 'the agent is killed and stopped, and its registry is away and wiped: etcd',
  'agent-redis': 'the same with Redis',
  'agent-zookeeper': 'the same with ZooKeeper',
  'agent-consul': 'the same with Consul',
  scale: 'ten times the load for a minute, then none, with replicas that scale by themselves',
  'http2-attacks': 'attacks on HTTP/2 beside good clients',
  cost: 'CPU time of the health monitor',
}

function ofFault(fault: FaultName): Scenario {
  return scenario((lab) => runFault(lab, fault), judgeFault)
}

function ofAgent(kind: AgentRegistry): Scenario {
  return scenario((lab) => runAgent(lab, kind), judgeAgent)
}

function scenario<T extends object>(
  run: (lab: Lab) => Promise<T>,
  judge: (found: T) => readonly Check[],
): Scenario {
  return async (lab) => {
    const found = await run(lab)
    return { found, checks: judge(found) }
  }
}
