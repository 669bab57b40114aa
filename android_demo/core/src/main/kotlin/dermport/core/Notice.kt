package dermport.core

/**
 * What a screen has to say, which outlives it.
 *
 * Android makes a screen anew when the phone is turned; what was said before, or is said in between, has
 * to stand on the new one too. Used on the main thread alone.
 *
 * @property message what there is to say.
 */
class Notice<T : Any>(message: T) {
    var message: T = message
        private set
    private var shown: ((T) -> Unit)? = null

    /** From now on [show] shows it; what there is to say is shown at once. */
    fun attach(show: (T) -> Unit) {
        shown = show
        show(message)
    }

    /** The screen is gone; what is said from now on waits for the next. */
    fun detach() {
        shown = null
    }

    fun say(words: T) {
        message = words
        shown?.invoke(words)
    }
}
