package dermport.core

/** Something a person can do something about: [message] says what was found and what to do next. */
class Problem(override val message: String, cause: Throwable? = null) : Exception(message, cause)
