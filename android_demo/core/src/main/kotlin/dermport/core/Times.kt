package dermport.core

import kotlin.math.floor
import kotlin.math.sqrt

/** What the times of one run say, in milliseconds; percentiles interpolate linearly, as numpy does. */
data class Times(
    val runs: Int,
    val mean: Double,
    val deviation: Double,
    val least: Double,
    val most: Double,
    val p50: Double,
    val p90: Double,
    val p95: Double,
) {
    companion object {
        /** The figures of the first [count] of [nanoseconds], which are sorted by this. */
        fun of(nanoseconds: LongArray, count: Int = nanoseconds.size): Times {
            require(count in 1..nanoseconds.size) { "$count times of ${nanoseconds.size}" }
            nanoseconds.sort(0, count)
            var sum = 0.0
            for (i in 0 until count) sum += nanoseconds[i] / NANOS
            val mean = sum / count
            var squares = 0.0
            for (i in 0 until count) squares += (nanoseconds[i] / NANOS - mean).let { it * it }
            return Times(
                runs = count,
                mean = mean,
                deviation = sqrt(squares / count),
                least = nanoseconds[0] / NANOS,
                most = nanoseconds[count - 1] / NANOS,
                p50 = percentile(nanoseconds, count, 0.5),
                p90 = percentile(nanoseconds, count, 0.9),
                p95 = percentile(nanoseconds, count, 0.95),
            )
        }

        private fun percentile(sorted: LongArray, count: Int, share: Double): Double {
            val place = share * (count - 1)
            val below = floor(place).toInt()
            val above = minOf(below + 1, count - 1)
            val low = sorted[below] / NANOS
            return low + (sorted[above] / NANOS - low) * (place - below)
        }

        private const val NANOS = 1e6
    }
}
