package android.util

/** The attributes of one element of a layout. */
class AttributeSet internal constructor(internal val values: Map<String, String>)

class DisplayMetrics {
    @JvmField var density = 2.625f
    @JvmField var heightPixels = 2209
}

class Size(val width: Int, val height: Int)
