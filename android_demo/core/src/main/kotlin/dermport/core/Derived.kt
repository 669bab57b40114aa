package dermport.core

/**
 * What a contract says of the file's input and outputs. It follows from the rest of it; another text is
 * another model.
 */
internal object Derived {
    /** @param type "float32" or "uint8". */
    fun input(size: Int, type: String): Map<String, Any> = mapOf(
        "name" to ModelFile.INPUT,
        "shape" to listOf("N", size, size, 3),
        "layout" to "NHWC",
        "color" to "RGB",
        "dtype" to type,
        "range" to listOf(0, 255),
    )

    /** @param unknownScore a key of [Decision.UNKNOWN_SCORES]. */
    fun outputs(classes: Int, unknownScore: String): List<Map<String, Any>> = listOf(
        mapOf(
            "name" to "probabilities",
            "shape" to listOf("N", classes),
            "dtype" to "float32",
            "meaning" to "softmax of the logits divided by calibration.temperature, in the order of labels",
        ),
        mapOf(
            "name" to "cam",
            "shape" to listOf("N", "H", "W", classes),
            "layout" to "NHWC",
            "dtype" to "float32",
            "meaning" to "class activation maps: spatial mean plus the class's bias = its logit",
        ),
        mapOf(
            "name" to "unknown",
            "shape" to listOf("N"),
            "dtype" to "float32",
            "meaning" to "${Decision.UNKNOWN_SCORES.getValue(unknownScore)}; above " +
                "calibration.unknown_threshold the answer is 'unknown'",
        ),
    )

    /** Tells [other] the first place at which what was [found] is another than what is [expected] there. */
    fun compare(found: Any?, expected: Any?, place: String, other: (String, Any?, Any?) -> Unit) {
        if (found is Map<*, *> && expected is Map<*, *> && found.keys == expected.keys) {
            for ((key, value) in expected) compare(found[key], value, "$place.$key", other)
        } else if (found is List<*> && expected is List<*> && found.size == expected.size) {
            for (i in found.indices) compare(found[i], expected[i], "$place[$i]", other)
        } else if (found is Number && expected is Number) {
            if (found.toDouble() != expected.toDouble()) other(place, found, expected) // 255.0 is 255
        } else if (found != expected) {
            other(place, found, expected)
        }
    }
}
