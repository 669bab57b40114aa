package dermport.core

/**
 * One class's activation map as an overlay of [side] × [side] colours.
 *
 * The map is enlarged bilinearly; 0 and below is clear, the map's largest value is the strongest.
 * A second map of the same size allocates nothing.
 */
class HeatMap(private val height: Int, private val width: Int, private val classes: Int, val side: Int) {
    /** The result of the last [draw]: 0xAARRGGBB, not premultiplied, row by row. */
    val colors = IntArray(side * side)

    /** Fills [colors] from `cam` of (height, width, classes) for class [index]. */
    fun draw(cam: FloatArray, index: Int): IntArray {
        var most = 0f
        for (cell in 0 until height * width) most = maxOf(most, cam[cell * classes + index])
        for (y in 0 until side) {
            for (x in 0 until side) {
                val value = if (most > 0f) at(cam, index, place(x, width), place(y, height)) / most else 0f
                colors[y * side + x] = color(value)
            }
        }
        return colors
    }

    private fun place(at: Int, cells: Int): Float =
        ((at + 0.5f) * cells / side - 0.5f).coerceIn(0f, (cells - 1).toFloat())

    private fun at(cam: FloatArray, index: Int, x: Float, y: Float): Float {
        val left = x.toInt()
        val top = y.toInt()
        val right = minOf(left + 1, width - 1)
        val bottom = minOf(top + 1, height - 1)
        val dx = x - left
        val dy = y - top
        val upper = cell(cam, top, left, index) * (1 - dx) + cell(cam, top, right, index) * dx
        val lower = cell(cam, bottom, left, index) * (1 - dx) + cell(cam, bottom, right, index) * dx
        return upper * (1 - dy) + lower * dy
    }

    private fun cell(cam: FloatArray, row: Int, column: Int, index: Int) = cam[(row * width + column) * classes + index]

    companion object {
        /** Clear through amber to red, the strongest [value] (1) at four fifths of full cover. */
        fun color(value: Float): Int {
            val share = value.coerceIn(0f, 1f)
            val alpha = (share * 204).toInt()
            val green = (200 - share * 160).toInt()
            return (alpha shl 24) or (0xE6 shl 16) or (green shl 8) or 0x1E
        }
    }
}
