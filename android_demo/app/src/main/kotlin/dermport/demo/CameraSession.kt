package dermport.demo

import android.annotation.SuppressLint
import android.graphics.ImageFormat
import android.graphics.SurfaceTexture
import android.hardware.camera2.CameraAccessException
import android.hardware.camera2.CameraCaptureSession
import android.hardware.camera2.CameraCharacteristics
import android.hardware.camera2.CameraDevice
import android.hardware.camera2.CameraManager
import android.hardware.camera2.CaptureFailure
import android.hardware.camera2.CaptureRequest
import android.media.Image
import android.media.ImageReader
import android.os.Handler
import android.os.HandlerThread
import android.util.Size
import android.view.Surface
import dermport.core.CameraSize
import dermport.core.CameraSizes
import dermport.core.FrameHint
import dermport.core.Hint

/**
 * The back camera with a preview, hints on its frames, and pictures as JPEG in memory.
 *
 * All callbacks come on a thread of its own; [close] ends it.
 */
class CameraSession(
    private val manager: CameraManager,
    private val hinted: (Hint) -> Unit,
    private val taken: (ByteArray) -> Unit,
    private val failed: () -> Unit,
) {
    private val thread = HandlerThread("camera").apply { start() }
    private val handler = Handler(thread.looper)
    private val frameHint = FrameHint()
    private var luma = ByteArray(0)
    private var device: CameraDevice? = null
    private var session: CameraCaptureSession? = null
    private var photos: ImageReader? = null
    private var frames: ImageReader? = null
    private var surface: Surface? = null

    @Volatile
    private var closed = false

    // The thread has to live until the camera answers: an unheard one would stay open.
    @Volatile
    private var opening = false

    private val id: String?
    private val characteristics: CameraCharacteristics?

    init {
        val found = cameras(manager)
        val back = found.firstOrNull { (_, told) -> told.get(CameraCharacteristics.LENS_FACING) == BACK }
        val best = back ?: found.firstOrNull()
        id = best?.first
        characteristics = best?.second
    }

    /** How far the sensor is turned against the phone, in degrees. */
    val sensorTurn: Int get() = characteristics?.get(CameraCharacteristics.SENSOR_ORIENTATION) ?: 0

    /** The size of the preview's frames as the sensor has them, null where there is no camera. */
    val previewSize: CameraSize?
        get() = sizes(map()?.getOutputSizes(SurfaceTexture::class.java))
            ?.let { sizes -> photoSize?.let { CameraSizes.preview(sizes, it) } }

    private val photoSize: CameraSize? get() = sizes(map()?.getOutputSizes(ImageFormat.JPEG))?.let { CameraSizes.photo(it) }

    /** Begins with the preview on [texture]; needs the permission. */
    @SuppressLint("MissingPermission") // CameraActivity asks for it first
    fun open(texture: SurfaceTexture) {
        val name = id
        val photo = photoSize
        val preview = previewSize
        val hint = sizes(map()?.getOutputSizes(ImageFormat.YUV_420_888))
        if (name == null || photo == null || preview == null || hint == null) return failed()
        texture.setDefaultBufferSize(preview.width, preview.height)
        surface = Surface(texture)
        val small = CameraSizes.hint(hint, photo)
        photos = ImageReader.newInstance(photo.width, photo.height, ImageFormat.JPEG, 2)
            .apply { setOnImageAvailableListener({ photo(it) }, handler) }
        frames = ImageReader.newInstance(small.width, small.height, ImageFormat.YUV_420_888, 2)
            .apply { setOnImageAvailableListener({ frame(it) }, handler) }
        opening = true
        guarded {
            try {
                manager.openCamera(name, Opened(), handler)
            } catch (error: Exception) {
                opening = false
                throw error
            }
        }
    }

    /** Takes a picture that lies right when the phone is turned by [phoneTurn] degrees. */
    fun shoot(phoneTurn: Int) {
        handler.post {
            val camera = device
            val photo = photos?.surface
            if (camera == null || photo == null) return@post
            guarded {
                val request = camera.createCaptureRequest(CameraDevice.TEMPLATE_STILL_CAPTURE)
                request.addTarget(photo)
                request.set(CaptureRequest.CONTROL_AF_MODE, CaptureRequest.CONTROL_AF_MODE_CONTINUOUS_PICTURE)
                request.set(CaptureRequest.JPEG_ORIENTATION, (sensorTurn + phoneTurn + 360) % 360)
                request.set(CaptureRequest.JPEG_QUALITY, JPEG_QUALITY)
                session?.capture(request.build(), Capture(), handler)
            }
        }
    }

    fun close() {
        handler.post {
            closed = true
            session?.close()
            device?.close()
            photos?.close()
            frames?.close()
            surface?.release()
            if (!opening) thread.quitSafely()
        }
    }

    private fun start(camera: CameraDevice) {
        val targets = listOfNotNull(surface, photos?.surface, frames?.surface)
        guarded {
            @Suppress("DEPRECATION") // what replaces it needs Android 9
            camera.createCaptureSession(
                targets,
                object : CameraCaptureSession.StateCallback() {
                    override fun onConfigured(ready: CameraCaptureSession) {
                        if (closed) return
                        session = ready
                        guarded { ready.setRepeatingRequest(previewRequest(camera), null, handler) }
                    }

                    override fun onConfigureFailed(refused: CameraCaptureSession) = gaveUp()
                },
                handler,
            )
        }
    }

    private fun previewRequest(camera: CameraDevice): CaptureRequest {
        val request = camera.createCaptureRequest(CameraDevice.TEMPLATE_PREVIEW)
        listOfNotNull(surface, frames?.surface).forEach { request.addTarget(it) }
        request.set(CaptureRequest.CONTROL_AF_MODE, CaptureRequest.CONTROL_AF_MODE_CONTINUOUS_PICTURE)
        return request.build()
    }

    private fun frame(reader: ImageReader) {
        val image = reader.acquireLatestImage() ?: return
        try {
            judge(image)
        } finally {
            image.close()
        }
    }

    private fun judge(image: Image) {
        val plane = image.planes[0]
        val size = plane.buffer.remaining()
        if (luma.size < size) luma = ByteArray(size)
        plane.buffer.get(luma, 0, size)
        hinted(frameHint.judge(luma, image.width, image.height, plane.rowStride, GuideView.SHARE))
    }

    private fun photo(reader: ImageReader) {
        val image = reader.acquireNextImage() ?: return
        try {
            val buffer = image.planes[0].buffer
            taken(ByteArray(buffer.remaining()).also { buffer.get(it) })
        } finally {
            image.close()
        }
    }

    private fun map() = characteristics?.get(CameraCharacteristics.SCALER_STREAM_CONFIGURATION_MAP)

    private fun sizes(told: Array<Size>?): List<CameraSize>? = told?.map { CameraSize(it.width, it.height) }?.ifEmpty { null }

    private fun guarded(work: () -> Unit) {
        try {
            work()
        } catch (_: CameraAccessException) {
            gaveUp()
        } catch (_: RuntimeException) {
            gaveUp() // the camera or the preview's surface was taken away meanwhile, or the permission
        }
    }

    /** Tells it unless the screen has gone on. */
    private fun gaveUp() {
        if (!closed) failed()
    }

    private inner class Capture : CameraCaptureSession.CaptureCallback() {
        override fun onCaptureFailed(session: CameraCaptureSession, request: CaptureRequest, failure: CaptureFailure) =
            gaveUp()
    }

    private inner class Opened : CameraDevice.StateCallback() {
        override fun onOpened(camera: CameraDevice) {
            opening = false
            if (closed) return end(camera)
            device = camera
            start(camera)
        }

        override fun onDisconnected(camera: CameraDevice) = end(camera)

        override fun onError(camera: CameraDevice, error: Int) = end(camera)

        private fun end(camera: CameraDevice) {
            opening = false
            camera.close()
            if (closed) thread.quitSafely() else failed()
        }
    }

    companion object {
        private const val BACK = CameraCharacteristics.LENS_FACING_BACK
        private const val JPEG_QUALITY: Byte = 95

        /** Whether the phone has a camera at all. */
        fun isThere(manager: CameraManager): Boolean = cameras(manager).isNotEmpty()

        private fun cameras(manager: CameraManager): List<Pair<String, CameraCharacteristics>> = try {
            manager.cameraIdList.map { it to manager.getCameraCharacteristics(it) }
        } catch (_: CameraAccessException) {
            emptyList()
        } catch (_: RuntimeException) {
            emptyList() // cameras that came or went meanwhile
        }
    }
}
