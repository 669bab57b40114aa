package android.graphics

import java.awt.geom.AffineTransform
import java.awt.image.BufferedImage
import java.io.ByteArrayInputStream
import java.io.IOException
import javax.imageio.ImageIO
import kotlin.math.atan2
import kotlin.math.ceil
import kotlin.math.roundToInt

/** A picture of the JVM. */
class Bitmap internal constructor(private val image: BufferedImage) {
    val width get() = image.width
    val height get() = image.height

    fun hasAlpha() = image.colorModel.hasAlpha()

    fun getPixels(into: IntArray, offset: Int, stride: Int, x: Int, y: Int, width: Int, height: Int) {
        image.getRGB(x, y, width, height, into, offset, stride)
    }

    enum class Config { ARGB_8888 }

    companion object {
        @JvmStatic
        @Suppress("UNUSED_PARAMETER")
        fun createBitmap(colors: IntArray, width: Int, height: Int, config: Config) =
            Bitmap(argb(width, height).apply { setRGB(0, 0, width, height, colors, 0, width) })

        @JvmStatic
        fun createBitmap(from: Bitmap, x: Int, y: Int, width: Int, height: Int) =
            Bitmap(from.image.getSubimage(x, y, width, height))

        @JvmStatic
        @Suppress("UNUSED_PARAMETER")
        fun createBitmap(from: Bitmap, x: Int, y: Int, width: Int, height: Int, matrix: Matrix, filter: Boolean): Bitmap {
            val place = matrix.transform.createTransformedShape(java.awt.Rectangle(x, y, width, height)).bounds2D
            val moved = AffineTransform.getTranslateInstance(-place.x, -place.y).apply { concatenate(matrix.transform) }
            val upright = argb(maxOf(1, ceil(place.width - 1e-4).toInt()), maxOf(1, ceil(place.height - 1e-4).toInt()))
            upright.createGraphics().drawImage(from.image.getSubimage(x, y, width, height), moved, null)
            return Bitmap(upright)
        }

        private fun argb(width: Int, height: Int) = BufferedImage(width, height, BufferedImage.TYPE_INT_ARGB)
    }
}

object BitmapFactory {
    class Options {
        @JvmField var inPreferredConfig: Bitmap.Config? = null
        @JvmField var inPremultiplied = true
        @JvmField var inSampleSize = 1
    }

    /** Kinds that the JVM cannot decode, WebP and CMYK, are such that the phone cannot. */
    @JvmStatic
    @Suppress("UNUSED_PARAMETER")
    fun decodeByteArray(content: ByteArray, offset: Int, length: Int, options: Options): Bitmap? {
        val found = try {
            ImageIO.read(ByteArrayInputStream(content, offset, length))
        } catch (_: IOException) {
            null
        }
        if (found == null || found.colorModel.numColorComponents !in setOf(1, 3)) return null
        val part = options.inSampleSize
        val image = BufferedImage(found.width / part, found.height / part, BufferedImage.TYPE_INT_ARGB)
        for (y in 0 until image.height) for (x in 0 until image.width) image.setRGB(x, y, stored(found, x * part, y * part))
        return Bitmap(image)
    }

    /** The JVM would take grey values for linear ones and brighten them. */
    private fun stored(image: BufferedImage, x: Int, y: Int): Int {
        if (image.colorModel.numColorComponents == 3) return image.getRGB(x, y)
        val depth = image.colorModel.getComponentSize(0)
        val grey = image.raster.getSample(x, y, 0) * 255 / ((1 shl depth) - 1)
        return (image.getRGB(x, y) and (255 shl 24)) or (grey * 0x10101)
    }
}

class Matrix {
    internal val transform = AffineTransform()

    fun postScale(x: Float, y: Float) = after(AffineTransform.getScaleInstance(x.toDouble(), y.toDouble()))

    fun postRotate(degrees: Float, x: Float, y: Float) =
        after(AffineTransform.getRotateInstance(Math.toRadians(degrees.toDouble()), x.toDouble(), y.toDouble()))

    fun postConcat(other: Matrix) = after(other.transform)

    fun setValues(of: FloatArray) {
        val (a, c, e, b) = of.map { it.toDouble() }
        transform.setTransform(a, b, c, of[4].toDouble(), e, of[5].toDouble())
    }

    @Suppress("UNUSED_PARAMETER")
    fun setRectToRect(from: RectF, to: RectF, how: ScaleToFit): Boolean {
        transform.setToTranslation(to.left.toDouble(), to.top.toDouble())
        transform.scale(to.width() / from.width().toDouble(), to.height() / from.height().toDouble())
        transform.translate(-from.left.toDouble(), -from.top.toDouble())
        return true
    }

    /** The direction that the right becomes, in degrees clockwise. */
    internal fun turned(): Int = Math.toDegrees(atan2(transform.shearY, transform.scaleX)).roundToInt()

    private fun after(next: AffineTransform): Boolean = true.also { transform.preConcatenate(next) }

    enum class ScaleToFit { FILL }
}

class RectF(var left: Float, var top: Float, var right: Float, var bottom: Float) {
    fun width() = right - left
    fun height() = bottom - top
    fun centerX() = (left + right) / 2
    fun centerY() = (top + bottom) / 2

    fun offset(x: Float, y: Float) {
        left += x
        right += x
        top += y
        bottom += y
    }
}

class Rect {
    private var left = 0
    private var top = 0
    private var right = 0
    private var bottom = 0

    fun width() = right - left
    fun height() = bottom - top

    fun set(left: Int, top: Int, right: Int, bottom: Int) {
        this.left = left
        this.top = top
        this.right = right
        this.bottom = bottom
    }

    fun inset(x: Int, y: Int) = set(left + x, top + y, right - x, bottom - y)
}

class SurfaceTexture {
    @Suppress("UNUSED_PARAMETER")
    fun setDefaultBufferSize(width: Int, height: Int) = Unit
}

/** Has no pixels and remembers which bitmaps were drawn, and how opaque. */
@Suppress("UNUSED_PARAMETER")
class Canvas {
    internal val bitmaps = ArrayList<Pair<Bitmap, Int>>()

    fun drawBitmap(bitmap: Bitmap, from: Rect?, to: Rect, paint: Paint) {
        bitmaps.add(bitmap to paint.opacity)
    }

    fun drawCircle(x: Float, y: Float, radius: Float, paint: Paint) = Unit
    fun drawPath(path: Path, paint: Paint) = Unit
}

@Suppress("UNUSED_PARAMETER")
class Paint(flags: Int) {
    constructor() : this(0)

    internal var opacity = 255
        private set

    fun setAlpha(alpha: Int) {
        opacity = alpha
    }

    fun setColor(color: Int) = Unit
    fun setStrokeWidth(width: Float) = Unit
    fun setStyle(style: Style) = Unit

    enum class Style { STROKE }
}

@Suppress("UNUSED_PARAMETER")
class Path {
    fun reset() = Unit
    fun setFillType(type: FillType) = Unit
    fun addCircle(x: Float, y: Float, radius: Float, direction: Direction) = Unit
    fun addRect(left: Float, top: Float, right: Float, bottom: Float, direction: Direction) = Unit

    enum class Direction { CW }

    enum class FillType { EVEN_ODD }
}

class Color {
    companion object {
        @JvmStatic
        fun argb(alpha: Int, red: Int, green: Int, blue: Int) = (alpha shl 24) or rgb(red, green, blue)

        @JvmStatic
        fun rgb(red: Int, green: Int, blue: Int) = (red shl 16) or (green shl 8) or blue
    }
}
