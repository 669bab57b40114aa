package android.widget

import android.content.Context
import android.os.Bundle
import android.util.AttributeSet
import android.view.View
import android.view.ViewGroup
import dermport.phone.Phone

open class TextView(context: Context, attributes: AttributeSet?) : View(context, attributes) {
    var text: CharSequence? = element["text"] ?: ""
        set(value) {
            Phone.checkMain()
            field = value ?: ""
            Phone.changed(this)
        }
}

class Button(context: Context, attributes: AttributeSet?) : TextView(context, attributes)

open class FrameLayout(context: Context, attributes: AttributeSet?) : ViewGroup(context, attributes)

class LinearLayout(context: Context, attributes: AttributeSet?) : ViewGroup(context, attributes)

class ScrollView(context: Context, attributes: AttributeSet?) : FrameLayout(context, attributes)

open class ProgressBar(context: Context, attributes: AttributeSet?) : View(context, attributes) {
    var progress: Int = element["progress"]?.toInt() ?: 0
        set(value) {
            Phone.checkMain()
            field = value
            changed(value, false)
        }

    private val isSaved get() = element["saveEnabled"] != "false"

    internal open fun changed(value: Int, byPerson: Boolean) = Unit

    override fun saveHierarchyState(into: Bundle) {
        if (id != 0 && isSaved) into.putInt("$id", progress)
    }

    override fun restoreHierarchyState(from: Bundle) {
        if (id != 0 && isSaved && from.get("$id") != null) progress = from.getInt("$id")
    }
}

class SeekBar(context: Context, attributes: AttributeSet?) : ProgressBar(context, attributes) {
    private var listener: OnSeekBarChangeListener? = null

    fun setOnSeekBarChangeListener(now: OnSeekBarChangeListener?) {
        listener = now
    }

    override fun changed(value: Int, byPerson: Boolean) {
        listener?.onProgressChanged(this, value, byPerson)
    }

    @Suppress("unused")
    interface OnSeekBarChangeListener {
        fun onProgressChanged(bar: SeekBar, progress: Int, fromUser: Boolean)
        fun onStartTrackingTouch(bar: SeekBar)
        fun onStopTrackingTouch(bar: SeekBar)
    }
}
