import { BALANCERS } from '../../src/upstream/balancing/balancer.ts'
import { describeBalancer } from './balancer-suite.ts'

for (const { name } of BALANCERS) describeBalancer(name)
