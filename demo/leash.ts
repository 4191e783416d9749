/**
 * Ties a demonstration process to the one that started it: when that one is gone, however it died, the process is told to
 * stop as by SIGTERM. Loaded with `--import`, so that the program itself knows nothing of it; without a channel (started
 * by hand) it does nothing. Worker threads load it too and have no channel.
 */
import { isMainThread } from 'node:worker_threads'

if (isMainThread && process.channel !== undefined) {
  process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'))
  // The channel is there to break, not to keep a process alive that has ended its work.
  process.channel?.unref()
}
