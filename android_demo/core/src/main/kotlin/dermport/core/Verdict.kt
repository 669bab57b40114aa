package dermport.core

/**
 * One answer of a network's numbers, by the rule in its contract; [word] is what `runtimes.decision` of
 * the Python side calls it.
 */
sealed class Verdict(val word: String) {
    object Unknown : Verdict("unknown")

    /** The class of the operating point in force is suspected, be it the likeliest or not. */
    class Suspected(val alert: Alert) : Verdict("suspected ${alert.code}")

    class Likeliest(code: String) : Verdict(code)

    companion object {
        /**
         * A score that is no number is answered with "unknown"; a contract without a decision has no alert.
         *
         * @param probabilities (K,), in the order of the labels.
         */
        fun of(contract: Contract, probabilities: FloatArray, unknown: Float): Verdict {
            // not the same as `>`: nothing is above or below what is no number
            if (!(unknown <= contract.calibration.unknownThreshold)) return Unknown
            val codes = contract.labels.map { it.code }
            val alert = contract.decision?.alert
            if (alert != null && probabilities[codes.indexOf(alert.code)] >= alert.threshold) return Suspected(alert)
            return Likeliest(codes[probabilities.indices.maxByOrNull { probabilities[it] } ?: 0])
        }
    }
}
