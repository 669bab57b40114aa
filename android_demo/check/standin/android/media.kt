package android.media

import android.os.Handler
import android.view.Surface
import java.nio.ByteBuffer
import java.util.concurrent.CountDownLatch

/** Its surface takes images from the camera. */
class ImageReader private constructor(private val most: Int) {
    private val waiting = java.util.ArrayDeque<Image>()
    private var listener: OnImageAvailableListener? = null
    private var handler: Handler? = null
    private var held = 0
    val surface = Surface(this)

    fun setOnImageAvailableListener(listener: OnImageAvailableListener?, handler: Handler?) {
        this.listener = listener
        this.handler = handler
    }

    internal fun receive(image: Image) {
        synchronized(this) { waiting.add(image) }
        handler?.post { listener?.onImageAvailable(this) }
    }

    /** Waits until what it received is dealt with. */
    internal fun settle() {
        val done = CountDownLatch(1)
        if (handler?.post { done.countDown() } == true) done.await()
    }

    fun acquireNextImage(): Image? = synchronized(this) {
        val next = waiting.poll() ?: return null
        check(++held <= most) { "$most images are held and were not closed" }
        next.also { it.closed = { synchronized(this) { held-- } } }
    }

    fun acquireLatestImage(): Image? = synchronized(this) {
        while (waiting.size > 1) waiting.poll()
        acquireNextImage()
    }

    fun close() = synchronized(this) { waiting.clear() }

    fun interface OnImageAvailableListener {
        fun onImageAvailable(reader: ImageReader)
    }

    companion object {
        @JvmStatic
        @Suppress("UNUSED_PARAMETER")
        fun newInstance(width: Int, height: Int, format: Int, most: Int) = ImageReader(most)
    }
}

class Image internal constructor(val width: Int, val height: Int, content: ByteArray, rowStride: Int) {
    internal var closed = {}
    val planes = arrayOf(Plane(ByteBuffer.wrap(content), rowStride))

    fun close() = closed()

    class Plane internal constructor(val buffer: ByteBuffer, val rowStride: Int)
}
