package dermport.demo

import android.content.Context
import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Paint
import android.graphics.Rect
import android.util.AttributeSet
import android.view.View
import kotlin.math.min

/** The picture with the class activation overlay on it. */
class LesionView(context: Context, attributes: AttributeSet?) : View(context, attributes) {
    private val paint = Paint(Paint.FILTER_BITMAP_FLAG)
    private val place = Rect()
    private var picture: Bitmap? = null
    private var overlay: Bitmap? = null
    private var square = false

    /** How strong the overlay is, 0 to 100. */
    var strength: Int = 60
        set(value) {
            field = value
            invalidate()
        }

    /** Shows a picture with its overlay; [square] where the network saw its middle square alone. */
    fun show(picture: Bitmap?, overlay: Bitmap?, square: Boolean = false) {
        this.square = square
        this.picture = picture
        this.overlay = overlay
        visibility = if (picture == null && overlay == null) GONE else VISIBLE
        requestLayout()
        invalidate()
    }

    override fun onMeasure(widthMeasureSpec: Int, heightMeasureSpec: Int) {
        val width = MeasureSpec.getSize(widthMeasureSpec)
        val shown = picture
        val height = if (shown == null) width / 2 else (width.toLong() * shown.height / shown.width).toInt()
        // a tall picture leaves room for the answers
        setMeasuredDimension(width, min(height, resources.displayMetrics.heightPixels / 2))
    }

    override fun onDraw(canvas: Canvas) {
        fit()
        paint.alpha = 255
        picture?.let { canvas.drawBitmap(it, null, place, paint) }
        paint.alpha = strength * 255 / 100
        if (square) {
            val side = min(place.width(), place.height())
            place.inset((place.width() - side) / 2, (place.height() - side) / 2)
        }
        overlay?.let { canvas.drawBitmap(it, null, place, paint) }
    }

    private fun fit() {
        val shown = picture
        val share = if (shown == null) 1f else min(width.toFloat() / shown.width, height.toFloat() / shown.height)
        val wide = if (shown == null) min(width, height) else (shown.width * share).toInt()
        val high = if (shown == null) min(width, height) else (shown.height * share).toInt()
        place.set((width - wide) / 2, (height - high) / 2, (width + wide) / 2, (height + high) / 2)
    }
}
