/** On every Instance: name of its Process. */
export const PROCESS_LABEL = 'pmk.dev/process'
/** On every Instance: its number among those of its Process. */
export const INDEX_LABEL = 'pmk.dev/index'
/** Keeps a Process until its Instances are gone, and an Instance until its program is. */
export const STOP_FINALIZER = 'pmk.dev/stop'
/** Keeps an owner until its dependents no longer name it. */
export const ORPHAN_FINALIZER = 'orphan'
/** Keeps an owner until the dependents that block its deletion are gone. */
export const FOREGROUND_FINALIZER = 'foregroundDeletion'
/** On a Process: why it was changed, in the words of whoever did. Copied to the Revision. */
export const CHANGE_CAUSE_ANNOTATION = 'kubernetes.io/change-cause'
/** On a Revision that came back: since when it is the newest again. */
export const NEWEST_SINCE_ANNOTATION = 'pmk.dev/newest-since'
