package android.view

import android.content.Context
import android.content.res.Resources
import android.graphics.Canvas
import android.graphics.Matrix
import android.graphics.SurfaceTexture
import android.media.ImageReader
import android.os.Bundle
import android.util.AttributeSet
import dermport.phone.Phone

/** A view without pixels: what it holds, whether it is seen, and what a screen reader hears of it. */
@Suppress("unused", "UNUSED_PARAMETER", "MemberVisibilityCanBePrivate")
open class View(val context: Context, attributes: AttributeSet?) {
    internal val element: Map<String, String> = attributes?.values.orEmpty()
    internal var parent: ViewGroup? = null
    internal var attached = false
    private var onClick: OnClickListener? = null
    private var insets: OnApplyWindowInsetsListener? = null
    private val padding = IntArray(4)

    var id = 0
        internal set
    var tag: Any? = null
    var isSelected = false
    var isClickable = false
    var isEnabled by OnMain(element["enabled"] != "false")
    var contentDescription by OnMain<CharSequence?>(element["contentDescription"])
    var visibility = mapOf("gone" to GONE, "invisible" to INVISIBLE)[element["visibility"]] ?: VISIBLE
        set(value) {
            Phone.checkMain()
            val before = isSeen
            field = value
            if (!before && isSeen) Phone.changed(this)
        }
    var width = 1080
        protected set
    var height = 1080
        protected set
    val resources: Resources get() = context.resources
    val paddingLeft get() = padding[0]
    val paddingTop get() = padding[1]
    val paddingRight get() = padding[2]
    val paddingBottom get() = padding[3]

    fun setPadding(left: Int, top: Int, right: Int, bottom: Int) {
        padding[0] = left
        padding[1] = top
        padding[2] = right
        padding[3] = bottom
    }

    fun setOnClickListener(listener: OnClickListener?) {
        onClick = listener
        isClickable = true
    }

    fun setOnApplyWindowInsetsListener(listener: OnApplyWindowInsetsListener?) {
        insets = listener
    }

    internal open fun barred(bars: WindowInsets) {
        insets?.onApplyWindowInsets(this, bars)
    }

    open fun findViewById(wanted: Int): View? = takeIf { id == wanted && wanted != 0 }

    open fun saveHierarchyState(into: Bundle) = Unit

    open fun restoreHierarchyState(from: Bundle) = Unit

    fun performClick(): Boolean = onClick?.onClick(this) != null

    fun invalidate() = Phone.checkMain()

    fun requestLayout() = Phone.checkMain()

    protected fun setMeasuredDimension(width: Int, height: Int) {
        this.width = width
        this.height = height
    }

    protected open fun onMeasure(widthMeasureSpec: Int, heightMeasureSpec: Int) =
        setMeasuredDimension(MeasureSpec.getSize(widthMeasureSpec), MeasureSpec.getSize(heightMeasureSpec))

    protected open fun onSizeChanged(width: Int, height: Int, oldWidth: Int, oldHeight: Int) = Unit

    protected open fun onDraw(canvas: Canvas) = Unit

    /** Measures it and lets it draw, on a canvas without pixels. */
    internal open fun show(width: Int, height: Int) {
        attached = true
        onMeasure(MeasureSpec.makeMeasureSpec(width, 0), MeasureSpec.makeMeasureSpec(height, 0))
        onSizeChanged(this.width, this.height, 0, 0)
        drawn()
    }

    /** Its screen is no longer seen, stopped or gone. */
    internal open fun hide() {
        attached = false
    }

    internal fun drawn(): Canvas = Canvas().also { onDraw(it) }

    /** Whether it and all that it lies in are visible. */
    internal val isSeen: Boolean get() = visibility == VISIBLE && parent?.isSeen != false

    internal val isSpokenAtChanges: Boolean get() = element["accessibilityLiveRegion"] in setOf("polite", "assertive")

    /** What a screen shows is changed on the main thread alone. */
    internal class OnMain<T>(private var value: T) {
        operator fun getValue(view: View, property: Any?): T = value

        operator fun setValue(view: View, property: Any?, now: T) {
            Phone.checkMain()
            value = now
        }
    }

    fun interface OnClickListener {
        fun onClick(view: View)
    }

    fun interface OnApplyWindowInsetsListener {
        fun onApplyWindowInsets(view: View, insets: WindowInsets): WindowInsets
    }

    class MeasureSpec {
        companion object {
            const val EXACTLY = 1 shl 30

            @JvmStatic
            fun getSize(spec: Int): Int = spec and EXACTLY - 1

            @JvmStatic
            fun makeMeasureSpec(size: Int, mode: Int): Int = size or mode
        }
    }

    companion object {
        const val VISIBLE = 0
        const val INVISIBLE = 4
        const val GONE = 8
    }
}

open class ViewGroup(context: Context, attributes: AttributeSet?) : View(context, attributes) {
    private val children = ArrayList<View>()
    val childCount get() = children.size

    fun getChildAt(index: Int): View? = children.getOrNull(index)

    fun addView(child: View) {
        Phone.checkMain()
        check(child.parent == null) { "the child has a parent already" }
        child.parent = this
        children.add(child)
        if (attached) child.show(width, height)
    }

    fun removeAllViews() {
        Phone.checkMain()
        children.forEach { it.parent = null }
        children.clear()
    }

    override fun findViewById(wanted: Int): View? =
        super.findViewById(wanted) ?: children.firstNotNullOfOrNull { it.findViewById(wanted) }

    override fun saveHierarchyState(into: Bundle) = children.forEach { it.saveHierarchyState(into) }

    override fun restoreHierarchyState(from: Bundle) = children.forEach { it.restoreHierarchyState(from) }

    override fun hide() {
        super.hide()
        children.forEach { it.hide() }
    }

    override fun barred(bars: WindowInsets) {
        super.barred(bars)
        children.forEach { it.barred(bars) }
    }

    override fun show(width: Int, height: Int) {
        super.show(width, height)
        children.forEach { it.show(this.width, this.height) }
    }
}

/** Its texture comes once the screen is shown. */
class TextureView(context: Context, attributes: AttributeSet?) : View(context, attributes) {
    var surfaceTextureListener: SurfaceTextureListener? = null
    var surfaceTexture: SurfaceTexture? = null
        private set
    val isAvailable get() = surfaceTexture != null
    internal var transform: Matrix? = null
        private set

    fun setTransform(matrix: Matrix?) {
        transform = matrix
    }

    override fun show(width: Int, height: Int) {
        super.show(width, height)
        if (surfaceTexture != null) return
        Phone.onMain {
            val texture = SurfaceTexture().also { surfaceTexture = it }
            surfaceTextureListener?.onSurfaceTextureAvailable(texture, this.width, this.height)
        }
    }

    @Suppress("unused")
    interface SurfaceTextureListener {
        fun onSurfaceTextureAvailable(texture: SurfaceTexture, width: Int, height: Int)
        fun onSurfaceTextureSizeChanged(texture: SurfaceTexture, width: Int, height: Int)
        fun onSurfaceTextureDestroyed(texture: SurfaceTexture): Boolean
        fun onSurfaceTextureUpdated(texture: SurfaceTexture)
    }
}

class Surface internal constructor(internal val reader: ImageReader?) {
    @Suppress("UNUSED_PARAMETER")
    constructor(texture: SurfaceTexture) : this(null as ImageReader?)

    fun release() = Unit
}

class Display {
    val rotation get() = Phone.rotation
}

class Window {
    @Suppress("UNUSED_PARAMETER")
    fun addFlags(more: Int) = Unit
}

interface WindowManager {
    val defaultDisplay: Display
}

/** The bars of the system over a screen, in pixels. */
class WindowInsets internal constructor(
    val systemWindowInsetLeft: Int,
    val systemWindowInsetTop: Int,
    val systemWindowInsetRight: Int,
    val systemWindowInsetBottom: Int,
)

class LayoutInflater internal constructor(private val context: Context) {
    @Suppress("UNUSED_PARAMETER")
    fun inflate(layout: Int, parent: ViewGroup?, attach: Boolean): View = Phone.layouts.inflate(context, layout)
}
