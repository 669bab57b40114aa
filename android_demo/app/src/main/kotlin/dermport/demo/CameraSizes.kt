package dermport.demo

import android.util.Size
import kotlin.math.abs

/** Which of a camera's sizes are taken: all three of the same proportions, so that the ring fits. */
object CameraSizes {
    private const val PHOTO_PIXELS = 12_600_000
    private const val PREVIEW_WIDTH = 1920
    private const val HINT_WIDTH = 640
    private const val PROPORTIONS = 4.0 / 3

    /** The largest 4:3 size of at most 12 megapixels, else the one nearest to that. */
    fun photo(sizes: Array<Size>): Size {
        val fitting = sizes.filter { it.width * it.height <= PHOTO_PIXELS }.ifEmpty { sizes.toList() }
        return fitting.maxByOrNull { area(it) - apart(it, PROPORTIONS) * PHOTO_PIXELS * 10 } ?: sizes[0]
    }

    fun preview(sizes: Array<Size>, photo: Size): Size = like(sizes, photo, PREVIEW_WIDTH)

    fun hint(sizes: Array<Size>, photo: Size): Size = like(sizes, photo, HINT_WIDTH)

    private fun like(sizes: Array<Size>, photo: Size, widest: Int): Size {
        val fitting = sizes.filter { it.width <= widest }.ifEmpty { sizes.toList() }
        val wanted = photo.width.toDouble() / photo.height
        return fitting.maxByOrNull { area(it) - apart(it, wanted) * widest * widest * 10 } ?: sizes[0]
    }

    private fun area(size: Size) = size.width.toDouble() * size.height

    private fun apart(size: Size, proportions: Double) = abs(size.width.toDouble() / size.height - proportions)
}
