package dermport.core

import kotlin.math.abs
import kotlin.math.ceil
import kotlin.math.max
import kotlin.math.min

/**
 * The weights of Pillow's antialiased bilinear filter along one axis, as whole numbers.
 *
 * Output `k` is the sum over `i` in `0 until count[k]` of `weights[k * width + i]` times sample
 * `first[k] + i`, halves added, shifted by [BITS]. The filter widens with the reduction (Pillow,
 * libImaging/Resample.c), so that every sample counts.
 */
class Resampling(val from: Int, val to: Int) {
    val width: Int
    val first = IntArray(to)
    val count = IntArray(to)
    val weights: IntArray

    init {
        require(from > 0 && to > 0) { "sides are $from and $to" }
        val scale = from.toDouble() / to
        val support = max(scale, 1.0)
        width = ceil(support).toInt() * 2 + 1
        weights = IntArray(to * width)
        val real = DoubleArray(width)
        for (k in 0 until to) fill(k, (k + 0.5) * scale, support, real)
    }

    private fun fill(k: Int, center: Double, support: Double, real: DoubleArray) {
        val start = max((center - support + 0.5).toInt(), 0)
        val end = min((center + support + 0.5).toInt(), from)
        var sum = 0.0
        for (i in 0 until end - start) {
            real[i] = max(0.0, 1.0 - abs((i + start - center + 0.5) * (1.0 / support)))
            sum += real[i]
        }
        first[k] = start
        count[k] = end - start
        for (i in 0 until end - start) {
            val share = if (sum != 0.0) real[i] / sum else real[i]
            weights[k * width + i] = (0.5 + share * (1 shl BITS)).toInt()
        }
    }

    companion object {
        /** 8 bits for the sample, 2 for sums above 1, the rest of 32 for the weight. */
        const val BITS = 22
        const val HALF = 1 shl (BITS - 1)

        /** A sum of weighted samples as a sample again. */
        fun sample(sum: Int): Int {
            val value = sum shr BITS
            return if (value < 0) 0 else if (value > 255) 255 else value
        }
    }
}
