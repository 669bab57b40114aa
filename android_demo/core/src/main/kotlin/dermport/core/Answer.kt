package dermport.core

/** A class and its calibrated probability. */
data class Ranked(val index: Int, val label: Label, val probability: Float)

/**
 * What the app shows of one inference.
 *
 * @property ranked all classes, the likeliest first.
 * @property unknown the score by which a picture is unknown; higher is less like the training data.
 */
class Answer private constructor(val ranked: List<Ranked>, val unknown: Float, val verdict: Verdict) {
    val best: Ranked get() = ranked[0]

    /** The class that the verdict is about: the suspected one, else the likeliest. */
    val first: Ranked
        get() = (verdict as? Verdict.Suspected)?.let { told -> ranked.first { it.label.code == told.alert.code } } ?: best

    /** As JSON values, with the names that `python -m runtimes predict` gives them. */
    fun fields(): Map<String, Any?> = linkedMapOf(
        "decision" to verdict.word,
        "alert" to (verdict as? Verdict.Suspected)?.let { alert(it.alert) },
        "diagnosis" to best.label.code,
        "is_unknown" to (verdict is Verdict.Unknown),
        "unknown" to unknown.takeIf { it.isFinite() },
        "probabilities" to ranked.sortedBy { it.index }.associate { it.label.code to it.probability },
    )

    private fun alert(alert: Alert) = linkedMapOf(
        "code" to alert.code,
        "aim" to alert.aim,
        "threshold" to alert.threshold,
        "sensitivity" to alert.sensitivity.toList(),
        "specificity" to alert.specificity.toList(),
    )

    companion object {
        /**
         * Judges the outputs of a network.
         *
         * @throws Problem they hold something that is no probability.
         */
        fun of(contract: Contract, probabilities: FloatArray, unknown: Float): Answer {
            if (probabilities.size != contract.labels.size) throw Problem(Fault.AnswerOfAnotherModel)
            val sum = probabilities.sum()
            if (probabilities.any { !(it in -0.001f..1.001f) } || sum !in 0.98f..1.02f) {
                throw Problem(Fault.AnswerWithoutSense(sum))
            }
            val ranked = contract.labels
                .mapIndexed { i, label -> Ranked(i, label, probabilities[i]) }
                .sortedByDescending { it.probability }
            return Answer(ranked, unknown, Verdict.of(contract, probabilities, unknown))
        }

        /** A [Problem] where maps that were kept are not of this model's size. */
        fun checkMaps(file: ModelFile, cam: FloatArray) {
            if (cam.size != file.outputs[file.position("cam")].elements) throw Problem(Fault.AnswerOfAnotherModel)
        }
    }
}
