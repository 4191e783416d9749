/**
 * NTLM and Negotiate authenticate a connection, not a request (RFC 4559 section 6): every later request on it, of any client, is
 * the user's. Servers also send `Nego2`.
 */
const CREDENTIALS = /^(?:ntlm|nego[a-z0-9]*)(?:[ \t]|$)/im
const CHALLENGE = /(?:^|,)[ \t]*(?:ntlm|nego[a-z0-9]*)(?=[ \t,]|$)/i
/** Challenges are a list, and so are the parameters of each (RFC 9110 section 11.6.1): a realm may hold any text. */
const QUOTED = /"(?:[^"\\]|\\.)*"/g

/** Of Authorization or Proxy-Authorization: the value of one field, or those of several, one a line. */
export function isConnectionLogin(credentials: string): boolean {
  return CREDENTIALS.test(credentials)
}

/** Of WWW-Authenticate or Proxy-Authenticate, with one challenge or several. */
export function requestsConnectionLogin(challenges: string): boolean {
  return CHALLENGE.test(challenges) && CHALLENGE.test(challenges.replace(QUOTED, '""'))
}
