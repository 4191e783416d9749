/** What Traefik's tags begin with, unless the option `prefix` says otherwise. */
export const TRAEFIK_PREFIX = 'traefik'
