package dermport.demo

import android.os.Bundle
import dermport.core.Answer
import dermport.core.ModelFile

/**
 * The answer to one picture, small enough to be kept by the system while the app is away.
 *
 * @property ran the delegate, as [Network.ran].
 * @property cam the class activation maps, (height, width, classes).
 */
class Diagnosis(
    val probabilities: FloatArray,
    val cam: FloatArray,
    val unknown: Float,
    val preprocessingMs: Double,
    val inferenceMs: Double,
    val ran: String,
    val threads: Int,
    val cut: Boolean,
) {
    /** Judges it; a [dermport.core.Problem] where it was another model's, opened before this one. */
    fun answer(file: ModelFile): Answer {
        Answer.checkMaps(file, cam)
        return Answer.of(file.contract, probabilities, unknown)
    }

    fun toBundle(): Bundle = Bundle().apply {
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
