package dermport.core

import kotlin.math.abs

/** A size that a camera gives pictures or frames in, in pixels. */
data class CameraSize(val width: Int, val height: Int) {
    internal val area: Double get() = width.toDouble() * height
    internal val proportions: Double get() = width.toDouble() / height
}

/**
 * Which of a camera's sizes are taken: all three of the same proportions, so that the ring fits.
 *
 * Every camera can give a picture, a preview of at most 1920×1080 and frames of at most that at the same time.
 */
object CameraSizes {
    private const val PHOTO_PIXELS = 12_600_000.0
    private const val PHOTO = 4.0 / 3
    private const val WIDEST = 1920
    private const val HIGHEST = 1080
    private const val HINT_WIDTH = 640

    /** The largest 4:3 size of at most 12 megapixels, else the one nearest to that; [sizes] is not empty. */
    fun photo(sizes: List<CameraSize>): CameraSize = like(sizes, PHOTO, PHOTO_PIXELS) { it.area <= PHOTO_PIXELS }

    /** The largest of the [photo]'s proportions of at most 1920×1080, else the one nearest to that. */
    fun preview(sizes: List<CameraSize>, photo: CameraSize): CameraSize = frame(sizes, photo, WIDEST)

    /** As the preview, at most 640 wide: the hint on sharpness and light needs no more. */
    fun hint(sizes: List<CameraSize>, photo: CameraSize): CameraSize = frame(sizes, photo, HINT_WIDTH)

    private fun frame(sizes: List<CameraSize>, photo: CameraSize, widest: Int): CameraSize =
        like(sizes, photo.proportions, widest.toDouble() * widest) { it.width <= widest && it.height <= HIGHEST }

    private fun like(
        sizes: List<CameraSize>,
        proportions: Double,
        most: Double,
        fits: (CameraSize) -> Boolean,
    ): CameraSize {
        val fitting = sizes.filter(fits).ifEmpty { listOf(sizes.minByOrNull { it.area } ?: sizes[0]) }
        return fitting.maxByOrNull { it.area - abs(it.proportions - proportions) * most * 10 } ?: fitting[0]
    }
}
