package dermport.phone

import android.hardware.camera2.CameraDevice
import android.hardware.camera2.CaptureRequest
import android.media.Image
import android.view.Surface

/** The phone's camera: its frames and pictures are what a test gives it. */
internal class Camera {
    @Volatile
    var open: CameraDevice? = null

    @Volatile
    var isTaken = false

    @Volatile
    var picture = ByteArray(0)

    /** Whether pictures wait for [develop] instead of coming at once. */
    @Volatile
    var isSlow = false

    @Volatile
    private var waiting = {}

    @Volatile
    private var settle = {}

    /** The quarter turn that the last picture was asked to be stored with, in degrees. */
    @Volatile
    var turn = 0
        private set

    /** Hands a grey frame, (height, width), to all that the preview goes to; false without a preview. */
    fun frame(width: Int, height: Int, grey: ByteArray): Boolean {
        val request = open?.repeating ?: return false
        deliver(request.targets, Image(width, height, grey, width))
        return true
    }

    fun capture(request: CaptureRequest) {
        turn = request.values[CaptureRequest.JPEG_ORIENTATION] as Int? ?: 0
        waiting = { deliver(request.targets, Image(0, 0, picture, 0)) }
        if (isSlow) settle = { request.targets.forEach { it.reader?.settle() } } else waiting()
    }

    /** Hands over the picture of a slow camera, up to what waits for the main thread then. */
    fun develop() {
        waiting()
        settle()
    }

    private fun deliver(targets: List<Surface>, image: Image) = targets.forEach { it.reader?.receive(image) }
}
