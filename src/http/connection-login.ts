/**
 * NTLM and Negotiate log in a connection and not a request (RFC 4559 section 6): every request on it is the user's from then
 * on, for every client. Servers also say `Nego2`.
 */
const CREDENTIALS = /^(?:ntlm|nego[a-z0-9]*)(?:[ \t]|$)/i
const CHALLENGE = /(?:^|,)[ \t]*(?:ntlm|nego[a-z0-9]*)(?=[ \t,]|$)/i
/** Challenges are a list, and so are the parameters of each (RFC 9110 section 11.6.1): a realm may hold any text. */
const QUOTED = /"(?:[^"\\]|\\.)*"/g

/** Of Authorization or Proxy-Authorization. */
export function isConnectionLogin(credentials: string): boolean {
  return CREDENTIALS.test(credentials)
}

/** Of WWW-Authenticate or Proxy-Authenticate, with one challenge or several. */
export function asksForConnectionLogin(challenges: string): boolean {
  return CHALLENGE.test(challenges) && CHALLENGE.test(challenges.replace(QUOTED, '""'))
}
