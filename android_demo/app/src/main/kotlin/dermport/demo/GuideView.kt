package dermport.demo

import android.content.Context
import android.graphics.Canvas
import android.graphics.Color
import android.graphics.Paint
import android.graphics.Path
import android.util.AttributeSet
import android.view.View
import kotlin.math.min

/** The ring over the camera's picture; what lies outside is darkened. */
class GuideView(context: Context, attributes: AttributeSet?) : View(context, attributes) {
    private val veil = Paint().apply { color = Color.argb(130, 0, 0, 0) }
    private val line = Paint(Paint.ANTI_ALIAS_FLAG).apply {
        style = Paint.Style.STROKE
        color = Color.WHITE
    }
    private val outside = Path()

    /** Whether the picture inside is good enough; the ring is green then. */
    var good: Boolean = false
        set(value) {
            if (field != value) invalidate()
            field = value
        }

    override fun onSizeChanged(width: Int, height: Int, oldWidth: Int, oldHeight: Int) {
        line.strokeWidth = 4 * resources.displayMetrics.density
        outside.reset()
        outside.fillType = Path.FillType.EVEN_ODD
        outside.addRect(0f, 0f, width.toFloat(), height.toFloat(), Path.Direction.CW)
        outside.addCircle(width / 2f, height / 2f, radius(width, height), Path.Direction.CW)
    }

    override fun onDraw(canvas: Canvas) {
        canvas.drawPath(outside, veil)
        line.color = if (good) GOOD else Color.WHITE
        canvas.drawCircle(width / 2f, height / 2f, radius(width, height), line)
    }

    private fun radius(width: Int, height: Int) = (min(width, height) * SHARE / 2).toFloat()

    companion object {
        /** The ring's diameter as part of the picture's short side. */
        const val SHARE = 0.8
        private val GOOD = Color.rgb(120, 220, 140)
    }
}
