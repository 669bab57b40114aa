package dermport.core

/** One JSON object whose keys are taken one by one; [close] names what nobody took. */
class StrictObject(value: Any?, private val origin: String, private val path: String = "") {
    private val content: Map<*, *> = value as? Map<*, *> ?: throw error("", value, "an object")
    private val taken = HashSet<String>()

    fun text(key: String): String = take(key).let { it as? String ?: throw error(key, it, "a string") }

    fun textOrNull(key: String): String? = take(key)?.let { it as? String ?: throw error(key, it, "a string or null") }

    fun flag(key: String): Boolean = take(key).let { it as? Boolean ?: throw error(key, it, "true or false") }

    fun integer(key: String): Long = take(key).let { it as? Long ?: throw error(key, it, "a whole number") }

    fun number(key: String): Double =
        take(key).let { (it as? Number)?.toDouble() ?: throw error(key, it, "a number") }

    fun array(key: String): List<Any?> = take(key).let { it as? List<Any?> ?: throw error(key, it, "an array") }

    @Suppress("UNCHECKED_CAST")
    fun mapping(key: String): Map<String, Any?> =
        take(key).let { it as? Map<String, Any?> ?: throw error(key, it, "an object") }

    fun child(key: String) = StrictObject(take(key), origin, where(key))

    fun children(key: String): List<StrictObject> =
        array(key).mapIndexed { i, item -> StrictObject(item, origin, "${where(key)}[$i]") }

    /** Ends the reading; a key that nobody asked for is a [Problem]. */
    fun close() {
        val unknown = content.keys.firstOrNull { it !in taken } ?: return
        val known = taken.sorted().joinToString()
        throw Problem("$origin: unknown key '${where(unknown as String)}'. Known keys here are: $known.")
    }

    /** The problem of [key]: what was found and what was expected. */
    fun error(key: String, found: Any?, expected: String): Problem {
        val place = if (key.isEmpty()) path else where(key)
        val subject = if (place.isEmpty()) "the document is" else "'$place' is"
        return Problem("$origin: $subject ${shown(found)}; expected $expected.")
    }

    private fun take(key: String): Any? {
        if (!content.containsKey(key)) {
            val found = content.keys.joinToString().ifEmpty { "nothing" }
            throw Problem("$origin: the key '${where(key)}' is missing. Found: $found.")
        }
        taken.add(key)
        return content[key]
    }

    private fun where(key: String) = if (path.isEmpty()) key else "$path.$key"

    private fun shown(found: Any?): String {
        val text = if (found is String) "\"$found\"" else found.toString()
        return if (text.length <= 80) text else text.take(77) + "..."
    }
}
