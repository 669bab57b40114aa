package dermport.core

/** What stands in the way of a good picture, the first thing to do first. */
enum class Hint { TOO_DARK, TOO_BRIGHT, BLURRED, GOOD }

/**
 * Looks at the brightness plane of a camera frame inside the guide ring.
 *
 * Sharpness is the variance of the Laplacian by the variance of the brightness, so that a pale
 * lesion is not called blurred; nothing is allocated.
 */
class FrameHint {
    /** Mean brightness in the ring, 0 to 255. */
    var brightness = 0.0
        private set

    /** Share of pixels in the ring that are burnt out. */
    var burnt = 0.0
        private set
    var sharpness = 0.0
        private set

    /**
     * Judges a frame.
     *
     * @param luma one byte a pixel.
     * @param stride bytes from one row to the next.
     * @param share the ring's diameter as part of the frame's short side.
     */
    fun judge(luma: ByteArray, width: Int, height: Int, stride: Int, share: Double): Hint {
        val radius = minOf(width, height) * share / 2
        measure(luma, width / 2, height / 2, radius.toInt(), stride)
        return when {
            brightness < DARK -> Hint.TOO_DARK
            brightness > BRIGHT || burnt > BURNT -> Hint.TOO_BRIGHT
            sharpness < BLURRED -> Hint.BLURRED
            else -> Hint.GOOD
        }
    }

    private fun measure(luma: ByteArray, centerX: Int, centerY: Int, radius: Int, stride: Int) {
        var count = 0L
        var sum = 0L
        var squares = 0L
        var bends = 0L
        var bendSquares = 0L
        var white = 0L
        val square = radius.toLong() * radius
        for (y in centerY - radius + 1 until centerY + radius - 1) {
            val row = y * stride
            val dy = (y - centerY).toLong()
            for (x in centerX - radius + 1 until centerX + radius - 1) {
                val dx = (x - centerX).toLong()
                if (dx * dx + dy * dy > square) continue
                val at = row + x
                val value = luma[at].toInt() and 0xFF
                val around = (luma[at - 1].toInt() and 0xFF) + (luma[at + 1].toInt() and 0xFF) +
                    (luma[at - stride].toInt() and 0xFF) + (luma[at + stride].toInt() and 0xFF)
                val bend = 4 * value - around
                count++
                sum += value
                squares += value.toLong() * value
                bends += bend
                bendSquares += bend.toLong() * bend
                if (value >= WHITE) white++
            }
        }
        if (count == 0L) return
        brightness = sum.toDouble() / count
        burnt = white.toDouble() / count
        val variance = squares.toDouble() / count - brightness * brightness
        val bend = bends.toDouble() / count
        sharpness = (bendSquares.toDouble() / count - bend * bend) / maxOf(variance, FLAT)
    }

    private companion object {
        const val DARK = 50.0
        const val BRIGHT = 235.0
        const val WHITE = 250
        const val BURNT = 0.05
        const val BLURRED = 0.02
        const val FLAT = 4.0
    }
}
