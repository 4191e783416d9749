/**
 * A command in namespaces of its own: a network that has only the loopback, its own processes, its own mounts. An engine in there may
 * create bridges, overlay networks and packet filters as on a machine of its own. Everything in them ends with the first process,
 * and that ends with this one, even if this one is killed.
 */
/** What an engine writes to /run and /etc stays in there, too. */
const SET_UP = `
set -e
ip link set lo up
mount -t tmpfs tmpfs /run
mkdir -p /run/etc/upper /run/etc/work
mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/etc/upper,workdir=/run/etc/work /etc
exec "$@"
`

/** `init`: the first process in there. */
export function namespaced(init: string, command: readonly string[]): readonly string[] {
  return [
    ...['setpriv', '--pdeathsig', 'KILL', '--'],
    ...['unshare', '--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '--'],
    // The shims of containers become children of the first process, which has to wait for them.
    ...['sh', '-c', SET_UP, 'sh', init, '--', ...command],
  ]
}
