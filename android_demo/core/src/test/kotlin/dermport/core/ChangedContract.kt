package dermport.core

/** The released contract with values replaced or removed. */
@Suppress("UNCHECKED_CAST")
internal object ChangedContract {
    private val released = Json.parse(String(Golden.bytes("contract.json")), "contract.json")

    /** Carries out changes, each a map with `path` and the new `value`, or none to remove it. */
    fun text(changes: List<*>): String {
        val document = copy(released)
        for (change in changes) {
            change as Map<*, *>
            val path = change["path"] as List<*>
            val place = path.dropLast(1).fold(document) { at, key -> child(at, key) }
            if ("value" in change) put(place, path.last(), copy(change["value"])) else remove(place, path.last())
        }
        return Json.write(document)
    }

    private fun child(at: Any?, key: Any?): Any? = if (at is List<*>) at[(key as Long).toInt()] else (at as Map<*, *>)[key]

    private fun put(at: Any?, key: Any?, value: Any?) {
        if (at is List<*>) {
            (at as MutableList<Any?>)[(key as Long).toInt()] = value
        } else {
            (at as MutableMap<Any?, Any?>)[key] = value
        }
    }

    private fun remove(at: Any?, key: Any?) {
        if (at is List<*>) {
            (at as MutableList<Any?>).removeAt((key as Long).toInt())
        } else {
            (at as MutableMap<Any?, Any?>).remove(key)
        }
    }

    private fun copy(value: Any?): Any? = when (value) {
        is Map<*, *> -> value.mapValuesTo(LinkedHashMap<Any?, Any?>()) { copy(it.value) }
        is List<*> -> value.mapTo(ArrayList()) { copy(it) }
        else -> value
    }
}
