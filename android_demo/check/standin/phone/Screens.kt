package dermport.phone

import android.app.Activity
import android.content.ActivityNotFoundException
import android.content.Intent
import android.net.Uri
import android.os.Build
import android.os.Bundle
import android.view.WindowInsets
import java.io.DataInputStream
import java.io.DataOutputStream
import java.io.File

/** A screen of the stack: its activity, if it is there, and what the system keeps of it. */
internal class Screen(val type: Class<*>, var intent: Intent) {
    var activity: Activity? = null
    var saved: Bundle? = null
    var isStopped = false

    /** Made before the phone was turned. */
    var isOutdated = false
}

/** The app's screens, the upper one last, and the calls that Android makes at their moments. */
internal class Screens(private val file: File) {
    private val stack = ArrayList<Screen>()

    /** What the upper screen waits for: a file, or leave to use something. */
    var asked: Asked? = null
        private set
    var isAway = false
        private set
    val names get() = stack.map { it.type.simpleName }
    val top: Activity? get() = if (isAway) null else stack.lastOrNull()?.activity

    class Asked(val request: Int, val permission: String?, val type: String?)

    /** Another screen comes to the front, after what runs now. */
    fun start(intent: Intent) = Phone.later {
        val before = stack.lastOrNull()
        val type = checkNotNull(intent.component) { "no screen in ${intent.action}" }
        if (before?.type == type && type.simpleName in SINGLE_TOP) {
            val now = checkNotNull(before.activity)
            now.pause()
            now.newIntent(intent)
            now.resume()
        } else {
            before?.activity?.pause()
            val next = Screen(type, intent).also { stack.add(it) }
            bring(next)
            before?.let(::stop)
        }
    }

    /** The phone's chooser covers the screen. */
    fun ask(of: Screen, intent: Intent, request: Int) {
        if (!Phone.hasChooser) throw ActivityNotFoundException("nobody answers ${intent.action}")
        check(intent.action == OPEN && OPENABLE in intent.categories) { "${intent.action} with ${intent.categories}" }
        asked = Asked(request, null, intent.type)
        Phone.later {
            of.activity?.pause()
            stop(of)
        }
    }

    /** A dialog lies over the screen, which is only paused. */
    fun askPermission(of: Screen, permission: String, request: Int) {
        asked = Asked(request, permission, null)
        Phone.later { of.activity?.pause() }
    }

    /** The person chose a file, or none. */
    fun choose(uri: Uri?) {
        val question = checkNotNull(asked?.takeIf { it.permission == null }) { "no file is asked for" }
        asked = null
        val data = uri?.let { Intent(null as String?).setData(it) }
        bring(stack.last()) { it.result(question.request, if (uri == null) Activity.RESULT_CANCELED else Activity.RESULT_OK, data) }
    }

    fun permit(granted: Boolean) {
        val question = checkNotNull(asked) { "nothing is asked for" }
        val permission = checkNotNull(question.permission) { "no permission is asked for" }
        asked = null
        if (granted) Phone.grant(permission)
        val now = checkNotNull(stack.last().activity)
        now.onRequestPermissionsResult(question.request, arrayOf(permission), intArrayOf(if (granted) 0 else -1))
        now.resume()
    }

    /** The phone is turned to a rotation of 0 to 3; between the two landscapes no screen is made anew. */
    fun turn(rotation: Int) {
        val anew = (rotation - Phone.rotation) % 2 != 0
        Phone.rotation = rotation
        Phone.displayTurned()
        if (!anew) return
        stack.forEach { it.isOutdated = true }
        if (!isAway && asked == null) stack.lastOrNull()?.let { bring(it) }
    }

    /** The person goes to another app. */
    fun leave() {
        stack.lastOrNull()?.let {
            if (!it.isStopped) {
                it.activity?.pause()
                stop(it)
            }
        }
        isAway = true
        write()
    }

    fun comeBack() {
        if (stack.isEmpty()) read()
        isAway = false
        if (asked == null) bring(stack.last()) // else the chooser is in front, as it was
    }

    fun back() = finish(stack.last())

    fun finish(screen: Screen) {
        checkNotNull(screen.activity).isFinishing = true
        Phone.later {
            val gone = checkNotNull(screen.activity)
            gone.pause()
            stack.remove(screen)
            stack.lastOrNull()?.let { bring(it) }
            gone.stop()
            destroy(screen)
        }
    }

    /** Makes a screen the front one: anew where it is gone or outdated, else from where it was. */
    private fun bring(screen: Screen, beforeResume: (Activity) -> Unit = {}) {
        var kept: Any? = null
        val before = screen.activity
        if (before != null && screen.isOutdated) {
            if (!screen.isStopped) {
                before.pause()
                stop(screen)
            }
            kept = before.onRetainNonConfigurationInstance()
            destroy(screen)
        }
        screen.isOutdated = false
        val there = screen.activity
        val activity = there ?: (screen.type.getDeclaredConstructor().newInstance() as Activity)
        if (there == null) {
            val saved = screen.saved?.let(::parceled)
            activity.place = screen
            activity.lastNonConfigurationInstance = kept
            screen.activity = activity
            activity.create(saved)
            activity.start()
            saved?.let(activity::restore)
        } else if (screen.isStopped) {
            activity.start()
        }
        screen.isStopped = false
        beforeResume(activity)
        activity.resume()
        activity.lastNonConfigurationInstance = null
        if (there == null) activity.content?.let { view ->
            val across = Phone.rotation % 2 != 0
            if (across) view.show(2209, 1080) else view.show(1080, 2209)
            view.barred(WindowInsets(0, 63, 0, 63))
        }
    }

    private fun stop(screen: Screen) {
        val activity = screen.activity ?: return
        if (Build.VERSION.SDK_INT < 28) screen.saved = activity.save()
        activity.stop()
        if (Build.VERSION.SDK_INT >= 28) screen.saved = activity.save()
        screen.isStopped = true
    }

    private fun destroy(screen: Screen) {
        val gone = checkNotNull(screen.activity)
        gone.destroy()
        gone.isDestroyed = true
        screen.activity = null
    }

    /** What outlives the process, as the system keeps it. */
    private fun write() = DataOutputStream(file.outputStream()).use { out ->
        out.writeInt(stack.size)
        for (screen in stack) {
            out.writeUTF(screen.type.name)
            out.writeUTF("${screen.intent.data ?: ""}")
            (screen.intent.extras ?: Bundle()).writeTo(out)
            checkNotNull(screen.saved).writeTo(out)
        }
        out.writeInt(asked?.request ?: 0)
        out.writeUTF(asked?.type ?: "")
    }

    private fun read() = DataInputStream(file.inputStream()).use { from ->
        repeat(from.readInt()) {
            val type = Class.forName(from.readUTF())
            val data = from.readUTF()
            val intent = Intent(Phone.application, type)
            if (data.isNotEmpty()) intent.setData(Uri.parse(data))
            intent.extras = Bundle.readFrom(from).takeIf { it.keySet().isNotEmpty() }
            stack.add(Screen(type, intent).also { it.saved = Bundle.readFrom(from) })
        }
        val request = from.readInt()
        val type = from.readUTF()
        if (request != 0) asked = Asked(request, null, type)
    }

    private fun parceled(bundle: Bundle): Bundle {
        val bytes = java.io.ByteArrayOutputStream()
        DataOutputStream(bytes).use(bundle::writeTo)
        check(bytes.size() < MOST_BYTES) { "a state of ${bytes.size()} bytes: Android ends the app at a megabyte" }
        return DataInputStream(bytes.toByteArray().inputStream()).use(Bundle::readFrom)
    }

    private companion object {
        const val OPEN = "android.intent.action.OPEN_DOCUMENT"
        const val OPENABLE = "android.intent.category.OPENABLE"
        const val MOST_BYTES = 500_000
        val SINGLE_TOP = setOf("BenchmarkActivity")
    }
}
