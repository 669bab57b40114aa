package dermport.core

/** A decoded picture that hands out rows; on Android a Bitmap, which has its own memory. */
interface Pixels {
    val width: Int
    val height: Int

    /** Writes [rows] rows from [top] on into [into], one Int a pixel: 0xAARRGGBB, not premultiplied. */
    fun read(top: Int, rows: Int, into: IntArray)
}
