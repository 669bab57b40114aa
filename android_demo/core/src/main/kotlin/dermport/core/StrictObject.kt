package dermport.core

/** One JSON object whose keys are taken one by one; [close] names what nobody took. */
class StrictObject(value: Any?, private val origin: String, private val path: String = "") {
    private val content: Map<*, *> = value as? Map<*, *> ?: throw error("", value, "object")
    private val taken = HashSet<String>()

    fun text(key: String): String = take(key).let { it as? String ?: throw error(key, it, "string") }

    fun textOrNull(key: String): String? = take(key)?.let { it as? String ?: throw error(key, it, "string | null") }

    fun flag(key: String): Boolean = take(key).let { it as? Boolean ?: throw error(key, it, "true | false") }

    fun integer(key: String): Long = take(key).let { it as? Long ?: throw error(key, it, "integer") }

    fun number(key: String): Double =
        take(key).let { (it as? Number)?.toDouble() ?: throw error(key, it, "number") }

    fun numberOrNull(key: String): Double? =
        take(key)?.let { (it as? Number)?.toDouble() ?: throw error(key, it, "number | null") }

    fun array(key: String): List<Any?> = take(key).let { it as? List<Any?> ?: throw error(key, it, "array") }

    @Suppress("UNCHECKED_CAST")
    fun mapping(key: String): Map<String, Any?> =
        take(key).let { it as? Map<String, Any?> ?: throw error(key, it, "object") }

    fun child(key: String) = StrictObject(take(key), origin, where(key))

    fun children(key: String): List<StrictObject> =
        array(key).mapIndexed { i, item -> StrictObject(item, origin, "${where(key)}[$i]") }

    /** Whether the key is there, whatever its value. */
    fun has(key: String): Boolean = content.containsKey(key)

    /** Ends the reading; a key that nobody asked for is a [Problem]. */
    fun close() {
        val unknown = content.keys.firstOrNull { it !in taken } ?: return
        throw Problem(Fault.ContractKeyUnknown(origin, where(unknown as String), taken.sorted().joinToString()))
    }

    /** The problem of [key]: what was found and what was expected, in JSON's terms. */
    fun error(key: String, found: Any?, expected: String): Problem =
        Problem(Fault.ContractValue(origin, if (key.isEmpty()) path.ifEmpty { "{}" } else where(key), shown(found), expected))

    private fun take(key: String): Any? {
        if (!content.containsKey(key)) {
            throw Problem(Fault.ContractKeyMissing(origin, where(key), shown(content.keys)))
        }
        taken.add(key)
        return content[key]
    }

    private fun where(key: String) = if (path.isEmpty()) key else "$path.$key"

    internal companion object {
        private const val MOST = 80

        /** A value as a message shows it, cut where it is long. */
        fun shown(found: Any?): String {
            val text = found.toString()
            return if (text.length <= MOST) text else text.take(MOST - 1) + "…"
        }
    }
}
