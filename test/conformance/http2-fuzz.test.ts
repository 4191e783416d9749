// A short run of the seeded fuzz of HTTP/2; `npm run fuzz -- --frames` makes the long one. What is judged is in test/fuzz/judge-*frames.ts.
import { test } from 'node:test'
import { runFuzz, startFrames } from '../fuzz/run.ts'

test('600 sequences of frames of clients and servers leave nothing behind, and harm no other', async (t) => {
  await runFuzz(t, { first: 1, count: 600, lanes: 4 }, startFrames)
})
