package dermport.demo

import android.graphics.Bitmap
import dermport.core.Pixels
import dermport.core.Transparency

/** A Bitmap as the core reads it; clear parts are laid over white, as in training. */
class BitmapPixels(private val bitmap: Bitmap) : Pixels {
    override val width: Int get() = bitmap.width
    override val height: Int get() = bitmap.height

    override fun read(top: Int, rows: Int, into: IntArray) {
        bitmap.getPixels(into, 0, width, 0, top, width, rows)
        if (bitmap.hasAlpha()) Transparency.overWhite(into, rows * width)
    }
}
