package dermport.phone

import android.app.Activity
import android.content.Intent
import android.net.Uri
import android.os.Bundle
import android.os.Looper
import android.view.TextureView
import android.view.View
import android.view.ViewGroup
import android.widget.Button
import android.widget.ProgressBar
import android.widget.TextView
import dermport.core.Json
import java.io.File
import kotlin.concurrent.thread

/**
 * Does what a person, or adb, does with the phone: one JSON object a line in, one out.
 *
 * What ends the app on a phone, an exception that nobody caught, ends this program too, with its story.
 */
internal object Remote {
    @JvmStatic
    fun main(arguments: Array<String>) {
        Thread.setDefaultUncaughtExceptionHandler { _, error ->
            println(Json.line(mapOf("crash" to error.stackTraceToString())))
            Runtime.getRuntime().halt(3)
        }
        Phone.begin()
        thread(isDaemon = true, name = "remote") {
            for (line in generateSequence(::readLine)) {
                @Suppress("UNCHECKED_CAST")
                val words = Json.parse(line, "remote") as Map<String, Any?>
                Phone.later { println(Json.line(answered(words))) }
            }
            Runtime.getRuntime().halt(0)
        }
        Looper.getMainLooper().run()
    }

    /** What nobody could do is refused; any other exception ends the program. */
    private fun answered(words: Map<String, Any?>): Map<String, Any?> {
        var fault: String? = null
        when (val what = words["do"]) {
            "press" -> fault = press(words)
            "frame" -> fault = frame(words)
            "start" -> fault = start("${words["screen"]}", words["extras"] as Map<*, *>?)
            else -> obey("$what", words)
        }
        return if (fault == null) mapOf("done" to true) + seen() else mapOf("refused" to fault)
    }

    private fun obey(what: String, words: Map<String, Any?>) = when (what) {
        "choose" -> Phone.screens.choose((words["uri"] as String?)?.let(Uri::parse))
        "permit" -> Phone.screens.permit(words["granted"] == true)
        "turn" -> Phone.screens.turn((words["rotation"] as Number).toInt())
        "leave" -> Phone.screens.leave()
        "return" -> Phone.screens.comeBack()
        "back" -> Phone.screens.back()
        "slide" -> slide("${words["id"]}", (words["to"] as Number).toInt())
        "picture" -> Phone.camera.picture = File("${words["file"]}").readBytes()
        "slow" -> Phone.camera.isSlow = true
        "develop" -> {
            Phone.camera.develop()
            if (words["then"] == "turn") Phone.screens.turn(1) else Phone.screens.leave()
        }
        "take_camera" -> Phone.camera.isTaken = words["taken"] == true
        "look" -> Unit
        else -> error("unknown: $what")
    }

    private fun start(screen: String, extras: Map<*, *>?): String? {
        if (!Phone.layouts.isExported(screen)) return "no other app may open $screen"
        val intent = Intent(Phone.application, Class.forName("dermport.demo.$screen"))
        intent.extras = extras?.let { given ->
            Bundle().apply {
                for ((name, value) in given) if (value is Number) putInt("$name", value.toInt()) else putString("$name", "$value")
            }
        }
        Phone.screens.start(intent)
        return null
    }

    /** Presses a view by its id, or by what a screen reader says of it; tells why nobody could. */
    private fun press(words: Map<String, Any?>): String? {
        if (Phone.screens.asked != null) return "something else lies over the screen"
        val content = Phone.screens.top?.content ?: return "the app is not in front"
        val id = words["id"] as String?
        val told = words["told"] as String?
        val found = all(content).filter { view ->
            if (id != null) Phone.layouts.nameOf(view) == id else told != null && spoken(view).startsWith(told)
        }.filter { it.isSeen && it.isClickable }
        val view = found.singleOrNull() ?: return "${found.size} views to press are seen for ${id ?: told}"
        if (!view.isEnabled) return "it is not enabled"
        view.performClick()
        return null
    }

    private fun slide(id: String, to: Int) {
        val bar = Phone.screens.top?.findViewById(Phone.layouts.idOf(id)) as ProgressBar
        check(bar.isSeen) { "$id is not seen" }
        bar.progress = to
    }

    /** A frame of stripes: the finer and stronger, the sharper. */
    private fun frame(words: Map<String, Any?>): String? {
        val middle = (words["grey"] as Number).toInt()
        val contrast = (words["contrast"] as Number).toInt()
        val width = 640
        val grey = ByteArray(width * 480) { at ->
            (middle + if (at % width / 2 % 2 == 0) contrast else -contrast).coerceIn(0, 255).toByte()
        }
        return if (Phone.camera.frame(width, 480, grey)) null else "the camera shows no preview"
    }

    private fun seen(): Map<String, Any?> {
        val activity: Activity? = Phone.screens.top
        return mapOf(
            "screen" to activity?.javaClass?.simpleName,
            "stack" to Phone.screens.names,
            "asked" to Phone.screens.asked?.let { it.permission ?: it.type },
            "views" to activity?.content?.let { all(it).filter { view -> view.isSeen }.map(::told) }.orEmpty(),
            "said" to Phone.takeSaid(),
            "camera" to mapOf("open" to (Phone.camera.open != null), "turn" to Phone.camera.turn),
            "hidden_from_recents" to activity?.isHiddenFromRecents,
            "opened" to Phone.resolver.opened,
            "threads" to Thread.getAllStackTraces().keys.map { it.name }.sorted(),
        )
    }

    private fun told(view: View): Map<String, Any?> = mapOf(
        "id" to Phone.layouts.nameOf(view),
        "kind" to view.javaClass.simpleName,
        "text" to (view as? TextView)?.text?.toString(),
        "spoken" to spoken(view),
        "silent" to (view.element["importantForAccessibility"] == "no"),
        "button" to (view is Button || view.isClickable),
        "enabled" to view.isEnabled,
        "selected" to view.isSelected,
        "progress" to (view as? ProgressBar)?.progress,
        "padding" to listOf(view.paddingTop, view.paddingBottom),
        "turned" to (view as? TextureView)?.transform?.turned(),
        "bitmaps" to view.drawn().bitmaps.map { (bitmap, opacity) -> listOf(bitmap.width, bitmap.height, opacity) },
    )

    /** What a screen reader says when it comes to a view: its description, else its texts. */
    private fun spoken(view: View): String = view.contentDescription?.toString()
        ?: (view as? TextView)?.text?.toString()
        ?: (view as? ViewGroup)?.takeIf { it.isClickable }?.let { group ->
            all(group).drop(1).filter { it.isSeen }.joinToString(" ", transform = ::spoken).trim()
        }
        ?: ""

    private fun all(view: View): List<View> =
        listOf(view) + (0 until ((view as? ViewGroup)?.childCount ?: 0)).flatMap { all(checkNotNull((view as ViewGroup).getChildAt(it))) }
}
