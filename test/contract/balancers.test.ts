import type { BalancePolicy } from '../../src/model/snapshot.ts'
import { BALANCERS } from '../../src/upstream/balancer.ts'
import { describeBalancer } from './balancer-suite.ts'

for (const policy of Object.keys(BALANCERS)) describeBalancer(policy as BalancePolicy)
