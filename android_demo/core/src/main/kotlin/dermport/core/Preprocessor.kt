package dermport.core

/**
 * The one preprocessing: a decoded photo to the pixels that a network takes, as Pillow computes it.
 *
 * The photo is turned upright, cropped, reduced to the resolution that the training data had, and
 * then brought to the input's size (`runtimes/preprocess.py`). Rows are read in strips and weighted
 * as they come, so that memory does not grow with the photo; a second photo of the same size and
 * orientation allocates nothing. Not for several threads at once.
 */
class Preprocessor(val recipe: Recipe) {
    /** The result of the last [run]: RGB, `size * size * 3` bytes, row by row. */
    val output = ByteArray(recipe.size * recipe.size * CHANNELS)

    private val small = ByteArray(recipe.effectiveResolution * recipe.effectiveResolution * CHANNELS)
    private val enlarge = Resampling(recipe.effectiveResolution, recipe.size)
    private val enlarged = ByteArray(recipe.effectiveResolution * recipe.size * CHANNELS)
    private var plan: Plan? = null

    /** Fills and returns [output]. */
    fun run(pixels: Pixels, stored: Orientation = Orientation.UPRIGHT): ByteArray {
        val orientation = if (recipe.exifOrientation) stored else Orientation.UPRIGHT
        val known = plan
        val fits = known != null && known.fits(pixels, orientation)
        val now = if (fits) known else Plan(pixels.width, pixels.height, orientation, recipe).also { plan = it }
        now.reduce(pixels, small)
        if (recipe.size == recipe.effectiveResolution) {
            small.copyInto(output)
        } else {
            alongRows(small, enlarge, recipe.effectiveResolution, enlarged)
            alongColumns(enlarged, enlarge, recipe.size, output)
        }
        return output
    }

    /** Resamples each of [rows] rows of `along.from` pixels to `along.to`. */
    private fun alongRows(from: ByteArray, along: Resampling, rows: Int, to: ByteArray) {
        for (y in 0 until rows) {
            val row = y * along.from
            for (k in 0 until along.to) {
                weigh(from, (row + along.first[k]) * CHANNELS, CHANNELS, along, k, to, (y * along.to + k) * CHANNELS)
            }
        }
    }

    companion object {
        internal const val CHANNELS = 3

        /** Resamples columns of `along.from` pixels, [columns] in a row, to `along.to`. */
        internal fun alongColumns(from: ByteArray, along: Resampling, columns: Int, to: ByteArray) {
            for (k in 0 until along.to) {
                val top = along.first[k] * columns
                for (x in 0 until columns) {
                    weigh(from, (top + x) * CHANNELS, columns * CHANNELS, along, k, to, (k * columns + x) * CHANNELS)
                }
            }
        }

        private fun weigh(
            from: ByteArray,
            start: Int,
            step: Int,
            along: Resampling,
            k: Int,
            to: ByteArray,
            target: Int,
        ) {
            var red = Resampling.HALF
            var green = Resampling.HALF
            var blue = Resampling.HALF
            var place = start
            val base = k * along.width
            for (i in 0 until along.count[k]) {
                val weight = along.weights[base + i]
                red += (from[place].toInt() and 0xFF) * weight
                green += (from[place + 1].toInt() and 0xFF) * weight
                blue += (from[place + 2].toInt() and 0xFF) * weight
                place += step
            }
            to[target] = Resampling.sample(red).toByte()
            to[target + 1] = Resampling.sample(green).toByte()
            to[target + 2] = Resampling.sample(blue).toByte()
        }
    }
}
