package android.net

/** An address, such as content://pictures/NAME. */
class Uri private constructor(private val text: String) {
    val lastPathSegment: String get() = text.substringAfterLast('/')

    override fun toString() = text

    companion object {
        @JvmStatic
        fun parse(text: String) = Uri(text)
    }
}
