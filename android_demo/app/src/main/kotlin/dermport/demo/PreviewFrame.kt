package dermport.demo

import android.content.Context
import android.util.AttributeSet
import android.view.View.MeasureSpec
import android.widget.FrameLayout
import kotlin.math.min

/** Has the proportions of the camera's picture, so that ring and picture mean the same place. */
class PreviewFrame(context: Context, attributes: AttributeSet?) : FrameLayout(context, attributes) {
    private var across = 3
    private var down = 4

    fun setProportions(width: Int, height: Int) {
        across = width
        down = height
        requestLayout()
    }

    override fun onMeasure(widthMeasureSpec: Int, heightMeasureSpec: Int) {
        val width = MeasureSpec.getSize(widthMeasureSpec)
        val height = MeasureSpec.getSize(heightMeasureSpec)
        val share = min(width.toFloat() / across, height.toFloat() / down)
        super.onMeasure(
            MeasureSpec.makeMeasureSpec((across * share).toInt(), MeasureSpec.EXACTLY),
            MeasureSpec.makeMeasureSpec((down * share).toInt(), MeasureSpec.EXACTLY),
        )
    }
}
