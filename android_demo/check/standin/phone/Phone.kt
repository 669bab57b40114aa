package dermport.phone

import android.content.ContentResolver
import android.content.Context
import android.content.res.AssetManager
import android.content.res.Resources
import android.hardware.camera2.CameraManager
import android.hardware.display.DisplayManager
import android.net.Uri
import android.os.Looper
import android.os.PowerManager
import android.view.View
import android.widget.TextView
import java.io.File

/**
 * A stand-in for Android on this machine's JVM: as much of it as the app uses, after the framework's
 * documentation. It runs the app's own classes through their life, without pixels and without sound.
 *
 * One JVM is one process of the app; what outlives it lies in the folder [home], as on a phone.
 */
internal object Phone {
    private val home = File(setting("home"))
    private val main = Thread.currentThread()
    private val said = ArrayList<String>()

    val application = Context()
    val layouts = Layouts(File(setting("resources")))
    val resources = Resources(layouts::string)
    val assets = AssetManager(File(setting("assets")))
    val resolver = ContentResolver()
    val screens = Screens(home.resolve("screens.bin"))
    val camera = Camera()
    val litert = setting("litert")
    val hasCamera = setting("camera") != "none"
    val hasChooser = setting("chooser") != "none"

    /** As Surface.ROTATION_0 to ROTATION_270. */
    var rotation = 0

    private val displays = DisplayManager()
    private val cameras = CameraManager()

    /** The thread that calls this first is the main one. */
    fun begin() = Unit

    private fun setting(name: String): String = System.getProperty("phone.$name") ?: ""

    /** A folder of the app's own. */
    fun folder(name: String): File = home.resolve(name).apply { mkdirs() }

    /** The file behind an address of another app. */
    fun shared(uri: Uri): File = folder("shared").resolve(uri.lastPathSegment)

    fun service(name: String): Any? = when (name) {
        "display" -> displays
        "camera" -> cameras
        "power" -> PowerManager()
        else -> null
    }

    fun displayTurned() = displays.listeners.toList().forEach { it.onDisplayChanged(0) }

    fun isGranted(permission: String) = folder("granted").resolve(permission).exists()

    fun grant(permission: String) = folder("granted").resolve(permission).writeText("")

    fun onMain(work: Runnable) {
        if (Thread.currentThread() === main) work.run() else later(work)
    }

    fun later(work: Runnable) {
        Looper.getMainLooper().add(work)
    }

    fun checkMain() = check(Thread.currentThread() === main) { "a view is touched from thread ${Thread.currentThread().name}" }

    /** What a screen reader says of itself: a live region that changed, or came, while it is seen. */
    fun changed(view: View) {
        val words = "${(view as? TextView)?.text ?: ""}"
        if (view.attached && view.isSpokenAtChanges && view.isSeen && words.isNotEmpty()) said.add(words)
    }

    fun takeSaid(): List<String> = said.toList().also { said.clear() }

    /** Fails where a screen that is gone still listens. */
    fun checkForgotten(screen: Any) = check(screen !in displays.listeners) { "$screen still hears of the display" }
}
