package dermport.core

/** Ends a piece of work with a [fault] that a person is told in the app's own words. */
class Problem(val fault: Fault, cause: Throwable? = null) : Exception(fault.toString(), cause)
