package dermport.demo

import android.os.Bundle
import dermport.core.Answer
import dermport.core.ModelFile

/**
 * The answer to one picture, small enough to be kept by the system while the app is away.
 *
 * @property model SHA-256 of the file that gave it.
 * @property ran the delegate, as [Network.ran].
 * @property cam the class activation maps, (height, width, classes).
 */
class Diagnosis(
    val model: String,
    val probabilities: FloatArray,
    val cam: FloatArray,
    val unknown: Float,
    val preprocessingMs: Double,
    val inferenceMs: Double,
    val ran: String,
    val threads: Int,
    val cut: Boolean,
) {
    /** Whether [other] gave it; another model's thresholds say nothing of it. */
    fun isOf(other: OpenedModel): Boolean = model == other.sha256

    /** Judges it; a [dermport.core.Problem] where it was another model's, opened before this one. */
    fun answer(file: ModelFile): Answer {
        Answer.checkMaps(file, cam)
        return Answer.of(file.contract, probabilities, unknown)
    }

    fun toBundle(): Bundle = Bundle().apply {
        putString("model", model)
        putFloatArray("probabilities", probabilities)
        putFloatArray("cam", cam)
        putFloat("unknown", unknown)
        putDouble("preprocessing", preprocessingMs)
        putDouble("inference", inferenceMs)
        putString("ran", ran)
        putInt("threads", threads)
        putBoolean("cut", cut)
    }

    companion object {
        /** What [toBundle] gave; null where there is none. */
        fun of(bundle: Bundle?): Diagnosis? {
            val probabilities = bundle?.getFloatArray("probabilities") ?: return null
            return Diagnosis(
                bundle.getString("model") ?: return null,
                probabilities,
                bundle.getFloatArray("cam") ?: return null,
                bundle.getFloat("unknown"),
                bundle.getDouble("preprocessing"),
                bundle.getDouble("inference"),
                bundle.getString("ran") ?: return null,
                bundle.getInt("threads"),
                bundle.getBoolean("cut"),
            )
        }
    }
}
