package dermport.core

import java.math.BigInteger

/** One JSON object whose keys are taken one by one; [close] names what nobody took. */
class StrictObject(value: Any?, private val origin: String, private val path: String = "") {
    private val content: Map<*, *> = value as? Map<*, *> ?: throw error("", value, "an object")
    private val taken = HashSet<String>()

    fun text(key: String): String = take(key).let { it as? String ?: throw error(key, it, "a string") }

    fun textOrNull(key: String): String? = take(key)?.let { it as? String ?: throw error(key, it, "a string or null") }

    fun flag(key: String): Boolean = take(key).let { it as? Boolean ?: throw error(key, it, "true or false") }

    /** A whole number of any length. */
    fun integer(key: String): Number =
        take(key).let { (it as? Long) ?: (it as? BigInteger) ?: throw error(key, it, "a whole number") }

    fun number(key: String): Double = take(key).let { finite(it) ?: throw error(key, it, "a number") }

    fun numberOrNull(key: String): Double? = take(key)?.let { finite(it) ?: throw error(key, it, "a number or null") }

    fun array(key: String): List<Any?> = take(key).let { it as? List<Any?> ?: throw error(key, it, "an array") }

    @Suppress("UNCHECKED_CAST")
    fun mapping(key: String): Map<String, Any?> =
        take(key).let { it as? Map<String, Any?> ?: throw error(key, it, "an object") }

    /** An object of finite numbers, or (nested) lists of them. */
    fun figures(key: String): Map<String, Any?> = mapping(key).onEach { (name, value) ->
        if (!isNumeric(value)) throw error("$key.$name", value, "a finite number or lists of them")
    }

    fun child(key: String) = StrictObject(take(key), origin, where(key))

    fun children(key: String): List<StrictObject> =
        array(key).mapIndexed { i, item -> StrictObject(item, origin, "${where(key)}[$i]") }

    /** Whether the key is there, whatever its value. */
    fun has(key: String): Boolean = content.containsKey(key)

    /** Ends the reading; a key that nobody asked for is a [Problem]. */
    fun close() {
        val unknown = content.keys.firstOrNull { it !in taken } ?: return
        throw invalid("unknown key '${where(unknown as String)}'; known here are ${taken.sorted().joinToString()}")
    }

    /** The problem of [key]: [found] as it stands in the file, and what was [expected]. */
    fun error(key: String, found: Any?, expected: String): Problem {
        val place = if (key.isEmpty()) path else where(key)
        val what = if (place.isEmpty()) "the document" else "'$place'"
        return invalid("$what is ${shown(found)}; expected $expected")
    }

    private fun take(key: String): Any? {
        if (!content.containsKey(key)) {
            throw invalid("the key '${where(key)}' is missing; found ${content.keys.joinToString().ifEmpty { "nothing" }}")
        }
        taken.add(key)
        return content[key]
    }

    private fun where(key: String) = if (path.isEmpty()) key else "$path.$key"

    private fun invalid(technical: String) = Problem(Fault.ContractInvalid(origin, technical))

    internal companion object {
        private const val MOST = 80

        /** A value as it stands in the file, strings in quotes; cut where it is long. */
        fun shown(found: Any?): String {
            val text = Json.line(found)
            return if (text.length <= MOST) text else text.take(MOST - 1) + "…"
        }

        /** The value if it is a finite number; -0.0 is 0.0, as which it compares. */
        fun finite(value: Any?): Double? = (value as? Number)?.toDouble()?.takeIf { it.isFinite() }?.plus(0.0)

        private fun isNumeric(value: Any?): Boolean =
            if (value is List<*>) value.all { isNumeric(it) } else finite(value) != null
    }
}
