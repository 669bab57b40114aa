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

    /** Another screen comes to the front, after what runs now; the app with it. */
    fun start(intent: Intent) = Phone.later {
        val type = checkNotNull(intent.component) { "no screen in ${intent.action}" }
        if (isAway && stack.isEmpty() && file.exists()) read()
        isAway = false
        val before = stack.lastOrNull()
        if (before?.type == type && Phone.layouts.isSingleTop(type.simpleName)) {
            if (before.activity != null && !before.isStopped) before.activity?.pause()
            bring(before) { it.newIntent(intent) }
        } else {
            if (before != null && !before.isStopped) before.activity?.pause()
            val next = Screen(type, intent).also { stack.add(it) }
            bring(next)
            if (before != null && !before.isStopped) stop(before)
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
        val answer = intArrayOf(if (granted) 0 else -1)
        bring(stack.last()) { it.onRequestPermissionsResult(question.request, arrayOf(permission), answer) }
    }

    /** The phone is turned to a rotation of 0 to 3; between the two landscapes no screen is made anew. */
    fun turn(rotation: Int) {
        val anew = (rotation - Phone.rotation) % 2 != 0
        Phone.rotation = rotation
        Phone.displayTurned()
        if (!anew) return
        stack.forEach { it.isOutdated = true }
        val top = stack.lastOrNull()
        if (isAway || top == null) return
        if (asked == null) {
            bring(top)
        } else if (asked?.permission != null) { // seen below the dialog, so made anew, and paused again
            bring(top)
            top.activity?.pause()
        }
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
        if (asked == null) {
            bring(stack.last())
        } else if (asked?.permission != null) {
            bring(stack.last())
            stack.last().activity?.pause()
        } // else the chooser is in front, as it was
    }

    /** The chooser goes first; since Android 12 the launcher's screen only goes to the background. */
    fun back() {
        when {
            asked?.permission != null -> permit(false)
            asked != null -> choose(null)
            stack.size == 1 && Build.VERSION.SDK_INT >= 31 -> leave()
            else -> finish(stack.last())
        }
    }

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
        val kept = if (screen.isOutdated) dropped(screen) else null
        screen.isOutdated = false
        val isNew = screen.activity == null
        val activity = screen.activity ?: created(screen, kept)
        if (!isNew && screen.isStopped) activity.start()
        screen.isStopped = false
        beforeResume(activity)
        activity.resume()
        activity.lastNonConfigurationInstance = null
        show(activity)
    }

    /** Ends an activity that is to be made anew; returns what it keeps for the next. */
    private fun dropped(screen: Screen): Any? {
        val before = screen.activity ?: return null
        if (!screen.isStopped) {
            if (asked == null) before.pause()
            stop(screen)
        }
        return before.onRetainNonConfigurationInstance().also { destroy(screen) }
    }

    private fun created(screen: Screen, kept: Any?): Activity {
        val activity = screen.type.getDeclaredConstructor().newInstance() as Activity
        val saved = screen.saved?.let(::parceled)
        activity.place = screen
        activity.lastNonConfigurationInstance = kept
        screen.activity = activity
        activity.create(saved)
        activity.start()
        saved?.let(activity::restore)
        return activity
    }

    /** Below Android 15 the system keeps its bars clear of such a screen itself. */
    private fun show(activity: Activity) {
        val content = activity.content ?: return
        if (Phone.rotation % 2 != 0) content.show(2209, 1080) else content.show(1080, 2209)
        val bars = if (Build.VERSION.SDK_INT >= 35) 63 else 0
        content.barred(WindowInsets(0, bars, 0, bars))
    }

    private fun stop(screen: Screen) {
        val activity = screen.activity ?: return
        if (Build.VERSION.SDK_INT < 28) screen.saved = activity.save()
        activity.stop()
        if (Build.VERSION.SDK_INT >= 28) screen.saved = activity.save()
        screen.isStopped = true
        activity.content?.hide()
    }

    private fun destroy(screen: Screen) {
        val gone = checkNotNull(screen.activity)
        gone.destroy()
        gone.isDestroyed = true
        gone.content?.hide()
        Phone.checkForgotten(gone)
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
        out.writeBoolean(asked != null)
        asked?.let {
            out.writeInt(it.request)
            out.writeUTF(it.permission ?: "")
            out.writeUTF(it.type ?: "")
        }
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
        if (from.readBoolean()) {
            asked = Asked(from.readInt(), from.readUTF().ifEmpty { null }, from.readUTF().ifEmpty { null })
        }
    }

    private fun parceled(bundle: Bundle): Bundle {
        val bytes = java.io.ByteArrayOutputStream()
        DataOutputStream(bytes).use(bundle::writeTo)
        check(bytes.size() < MOST_BYTES) { "a state of ${bytes.size()} bytes; all of the app may have a megabyte" }
        return DataInputStream(bytes.toByteArray().inputStream()).use(Bundle::readFrom)
    }

    private companion object {
        const val OPEN = "android.intent.action.OPEN_DOCUMENT"
        const val OPENABLE = "android.intent.category.OPENABLE"
        const val MOST_BYTES = 500_000
    }
}
