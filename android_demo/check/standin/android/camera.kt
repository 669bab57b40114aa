package android.hardware.camera2

import android.hardware.camera2.params.StreamConfigurationMap
import android.os.Handler
import android.view.Surface
import dermport.phone.Phone

open class CameraAccessException(message: String) : Exception(message)

/** One camera at the back, if the phone has one. */
class CameraManager internal constructor() {
    val cameraIdList: Array<String> get() = if (Phone.hasCamera) arrayOf("0") else emptyArray()

    @Suppress("UNUSED_PARAMETER")
    fun getCameraCharacteristics(name: String) = CameraCharacteristics()

    @Suppress("UNUSED_PARAMETER")
    fun openCamera(name: String, tell: CameraDevice.StateCallback, on: Handler) {
        if (!Phone.isGranted("android.permission.CAMERA")) throw SecurityException("no permission")
        if (Phone.camera.isTaken) throw CameraAccessException("another app has it")
        val device = CameraDevice(tell, on)
        Phone.camera.open?.evict() // opened twice by one app, the camera is the later one's
        Phone.camera.open = device
        on.post { tell.onOpened(device) }
    }
}

class CameraCharacteristics internal constructor() {
    class Key<T> internal constructor(internal val value: T)

    @Suppress("UNCHECKED_CAST")
    fun <T> get(key: Key<T>): T = key.value

    companion object {
        const val LENS_FACING_BACK = 1

        @JvmField val LENS_FACING = Key(LENS_FACING_BACK)

        @JvmField val SENSOR_ORIENTATION = Key(90)

        @JvmField val SCALER_STREAM_CONFIGURATION_MAP = Key(StreamConfigurationMap())
    }
}

class CameraDevice internal constructor(private val tell: StateCallback, private val on: Handler) {
    @Volatile
    internal var repeating: CaptureRequest? = null

    @Volatile
    private var isGone = false

    fun createCaptureRequest(@Suppress("UNUSED_PARAMETER") template: Int): CaptureRequest.Builder {
        checkOpen()
        return CaptureRequest.Builder()
    }

    @Suppress("UNUSED_PARAMETER")
    fun createCaptureSession(surfaces: List<Surface>, tell: CameraCaptureSession.StateCallback, on: Handler) {
        checkOpen()
        on.post { tell.onConfigured(CameraCaptureSession(this, surfaces.toSet())) }
    }

    fun close() {
        isGone = true
        repeating = null
        if (Phone.camera.open === this) Phone.camera.open = null
    }

    internal fun evict() {
        isGone = true
        repeating = null
        on.post { tell.onDisconnected(this) }
    }

    internal fun checkOpen() {
        check(!isGone) { "the camera is closed or another's" }
    }

    @Suppress("unused")
    abstract class StateCallback {
        abstract fun onOpened(camera: CameraDevice)
        abstract fun onDisconnected(camera: CameraDevice)
        abstract fun onError(camera: CameraDevice, error: Int)
    }
}

class CameraCaptureSession internal constructor(private val device: CameraDevice, private val surfaces: Set<Surface>) {
    @Volatile
    private var isClosed = false

    @Suppress("UNUSED_PARAMETER")
    fun setRepeatingRequest(request: CaptureRequest, tell: CaptureCallback?, on: Handler): Int {
        check(request)
        device.repeating = request
        return 0
    }

    @Suppress("UNUSED_PARAMETER")
    fun capture(request: CaptureRequest, tell: CaptureCallback, on: Handler): Int {
        check(request)
        Phone.camera.capture(request)
        return 0
    }

    fun close() {
        isClosed = true
        device.repeating = null
    }

    private fun check(request: CaptureRequest) {
        device.checkOpen()
        check(!isClosed) { "the session is closed" }
        require(surfaces.containsAll(request.targets)) { "a target that the session does not know" }
    }

    @Suppress("unused")
    abstract class StateCallback {
        abstract fun onConfigured(ready: CameraCaptureSession)
        abstract fun onConfigureFailed(refused: CameraCaptureSession)
    }

    @Suppress("unused", "UNUSED_PARAMETER")
    abstract class CaptureCallback {
        open fun onCaptureFailed(session: CameraCaptureSession, request: CaptureRequest, failure: CaptureFailure) = Unit
    }
}

class CaptureFailure private constructor()

class CaptureRequest private constructor(internal val targets: List<Surface>, internal val values: Map<Key<*>, Any?>) {
    class Key<T> internal constructor()

    class Builder internal constructor() {
        private val targets = ArrayList<Surface>()
        private val values = HashMap<Key<*>, Any?>()

        fun addTarget(surface: Surface) {
            targets.add(surface)
        }

        fun <T> set(key: Key<T>, value: T) {
            values[key] = value
        }

        fun build() = CaptureRequest(targets, values)
    }

    companion object {
        @JvmField val CONTROL_AF_MODE = Key<Int>()

        @JvmField val JPEG_ORIENTATION = Key<Int>()

        @JvmField val JPEG_QUALITY = Key<Byte>()
    }
}
