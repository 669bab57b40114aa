package dermport.core

/** Pictures with clear parts, which are laid over white as in training. */
object Transparency {
    /** Lays the first [count] of [pixels] (0xAARRGGBB, not premultiplied) over white, in place. */
    fun overWhite(pixels: IntArray, count: Int) {
        for (i in 0 until count) {
            val pixel = pixels[i]
            val alpha = pixel ushr 24
            if (alpha == 255) continue
            val red = mixed((pixel shr 16) and 0xFF, alpha)
            val green = mixed((pixel shr 8) and 0xFF, alpha)
            val blue = mixed(pixel and 0xFF, alpha)
            pixels[i] = (0xFF shl 24) or (red shl 16) or (green shl 8) or blue
        }
    }

    private fun mixed(value: Int, alpha: Int) = (value * alpha + 255 * (255 - alpha) + 127) / 255
}
