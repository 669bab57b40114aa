package dermport.core

/** A share on the test side with the ends of its 95 % interval. */
data class Measured(val value: Double, val low: Double, val high: Double) {
    fun toList(): List<Double> = listOf(value, low, high)
}

/**
 * An operating point of a class that must not be missed.
 *
 * @property aim sensitivity that the threshold has on the validation side.
 * @property threshold the class is suspected where its probability is at or above it.
 */
data class Alert(
    val code: String,
    val aim: Double,
    val threshold: Double,
    val sensitivity: Measured,
    val specificity: Measured,
)

/**
 * How probabilities and unknown score become one answer; [Verdict] carries it out.
 *
 * @property unknownScore what the output `unknown` is.
 * @property aim of the alert in force; null if there is none.
 * @property evidence what was measured on the test side: numbers, or lists of them.
 */
data class Decision(
    val unknownScore: String,
    val aim: Double?,
    val alerts: List<Alert>,
    val evidence: Map<String, Any?>,
) {
    /** The operating point in force. */
    val alert: Alert? get() = alerts.firstOrNull { aim != null && it.aim == aim }

    companion object {
        const val RULE =
            "if unknown is above calibration.unknown_threshold: 'unknown'; else, if the probability of the " +
                "code of the alert with the aim decision.aim is at or above its threshold: 'suspected CODE'; " +
                "else the code of the largest probability"

        /** What the output `unknown` can be, and what the contract then says of it. */
        val UNKNOWN_SCORES = mapOf(
            "max_logit" to "minus the largest logit",
            "features" to "distance of the pooled features from those of the training data, minus a share " +
                "of the largest logit",
        )

        /**
         * Reads the contract's `decision`.
         *
         * @param codes of the contract's labels.
         * @param newer whether the contract is of a newer minor version, which may carry more.
         */
        internal fun read(item: StrictObject, codes: List<String>, newer: Boolean): Decision {
            val rule = item.text("rule")
            if (rule != RULE && !newer) throw item.error("rule", rule, "\"$RULE\"")
            val alerts = item.children("alerts").map { alert(it, codes, newer) }
            val aims = alerts.map { it.aim }
            if (aims.toSet().size < aims.size) throw item.error("alerts", aims, "every aim once")
            val score = item.text("unknown_score")
            if (score !in UNKNOWN_SCORES) {
                throw item.error("unknown_score", score, "one of ${UNKNOWN_SCORES.keys.joinToString()}")
            }
            val aim = item.numberOrNull("aim")
            if (aim != null && aim !in aims) throw item.error("aim", aim, "null or one of $aims, the alerts' aims")
            val evidence = item.figures("evidence")
            if (!newer) item.close()
            return Decision(score, aim, alerts, evidence)
        }

        private fun alert(item: StrictObject, codes: List<String>, newer: Boolean): Alert {
            val code = item.text("code")
            if (code !in codes) throw item.error("code", code, "one of ${codes.joinToString()}")
            val result = Alert(
                code,
                share(item, "aim", item.number("aim")),
                share(item, "threshold", item.number("threshold")),
                measured(item, "sensitivity"),
                measured(item, "specificity"),
            )
            if (!newer) item.close()
            return result
        }

        private fun measured(item: StrictObject, key: String): Measured {
            val values = item.array(key)
            val numbers = values.mapNotNull { StrictObject.finite(it) }.map { share(item, key, it) }
            if (values.size != 3 || numbers.size != 3) throw item.error(key, values, "value, low and high")
            return Measured(numbers[0], numbers[1], numbers[2])
        }

        private fun share(item: StrictObject, key: String, value: Double): Double =
            if (value in 0.0..1.0) value else throw item.error(key, value, "a share from 0 to 1")
    }
}
