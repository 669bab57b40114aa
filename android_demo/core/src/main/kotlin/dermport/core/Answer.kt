package dermport.core

/** A class and its calibrated probability. */
data class Ranked(val index: Int, val label: Label, val probability: Float)

/**
 * What the app shows of one inference.
 *
 * @property ranked all classes, the likeliest first.
 * @property isUnknown the score is above the contract's threshold, so that no diagnosis is given.
 */
class Answer(val ranked: List<Ranked>, val unknown: Float, val isUnknown: Boolean) {
    val best: Ranked get() = ranked[0]

    companion object {
        /**
         * Judges the outputs of a network.
         *
         * @throws Problem they hold something that is no probability.
         */
        fun of(contract: Contract, probabilities: FloatArray, unknown: Float): Answer {
            if (probabilities.size != contract.labels.size) throw other()
            val sum = probabilities.sum()
            if (probabilities.any { !(it in -0.001f..1.001f) } || sum !in 0.98f..1.02f || unknown.isNaN()) {
                throw Problem(
                    "The network's answer makes no sense (sum of probabilities $sum). Export the model again.",
                )
            }
            val ranked = contract.labels
                .mapIndexed { i, label -> Ranked(i, label, probabilities[i]) }
                .sortedByDescending { it.probability }
            return Answer(ranked, unknown, unknown > contract.calibration.unknownThreshold)
        }

        /** A [Problem] where maps that were kept are not of this model's size. */
        fun checkMaps(file: ModelFile, cam: FloatArray) {
            if (cam.size != file.outputs[file.position("cam")].elements) throw other()
        }

        private fun other() = Problem("This answer was given by another model. Choose the picture again.")
    }
}
