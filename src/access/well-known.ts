/** Who is in it may do everything, whatever roles say: the way in when they say nonsense. */
export const MASTERS = 'system:masters'
/** Everybody who said who they are. */
export const AUTHENTICATED = 'system:authenticated'
/** Everybody else. */
export const UNAUTHENTICATED = 'system:unauthenticated'
/** Who nobody knows. */
export const ANONYMOUS = 'system:anonymous'
