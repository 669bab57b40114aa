package dermport.core

/**
 * How a stored picture lies: EXIF orientation 1 to 8.
 *
 * @property transposed rows of the upright picture are columns of the stored one.
 * @property mirrorX the upright picture's x runs against the stored axis that it lies along.
 * @property mirrorY likewise its y.
 */
enum class Orientation(val exif: Int, val transposed: Boolean, val mirrorX: Boolean, val mirrorY: Boolean) {
    UPRIGHT(1, false, false, false),
    FLIPPED_X(2, false, true, false),
    TURNED_180(3, false, true, true),
    FLIPPED_Y(4, false, false, true),
    TRANSPOSED(5, true, false, false),
    TURNED_90(6, true, true, false),
    TRANSVERSED(7, true, true, true),
    TURNED_270(8, true, false, true),
    ;

    companion object {
        /** Any other number counts as upright, as in image viewers. */
        fun of(exif: Int): Orientation = entries.firstOrNull { it.exif == exif } ?: UPRIGHT
    }
}
