package dermport.core

/**
 * A message that stays until something else is begun.
 *
 * Android makes a screen anew when the phone is turned; what was said before, or is said in between, has
 * to stand on the new one too. Used on the main thread alone.
 *
 * @property message what there is to say; null if nothing.
 */
class Notice<T : Any>(message: T?) {
    var message: T? = message
        private set
    private var shown: ((T?) -> Unit)? = null

    /** From now on [show] shows it; what there is to say is shown at once. */
    fun attach(show: (T?) -> Unit) {
        shown = show
        show(message)
    }

    /** The screen is gone; what is said from now on waits for the next. */
    fun detach() {
        shown = null
    }

    fun say(words: T) = set(words)

    /** Something else is begun, to which the message does not belong. */
    fun clear() = set(null)

    private fun set(words: T?) {
        message = words
        shown?.invoke(words)
    }
}
