package android.app

import android.content.Context
import android.content.Intent
import android.os.Bundle
import android.view.Display
import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.view.Window
import android.view.WindowManager
import dermport.phone.Phone

/** A screen. What calls its moments is [dermport.phone.Screens]. */
@Suppress("unused", "UNUSED_PARAMETER")
open class Activity : Context() {
    /** What the system keeps of it beside its state. */
    internal lateinit var place: dermport.phone.Screen
    internal var content: View? = null
    internal var isHiddenFromRecents = false
    private var called = false

    var lastNonConfigurationInstance: Any? = null
        internal set
    var isFinishing = false
        internal set
    var isDestroyed = false
        internal set
    val intent: Intent get() = place.intent
    val window = Window()
    val windowManager: WindowManager = object : WindowManager {
        override val defaultDisplay = Display()
    }
    val layoutInflater: LayoutInflater get() = LayoutInflater(this)

    protected open fun onCreate(savedInstanceState: Bundle?) = call()
    protected open fun onStart() = call()
    protected open fun onResume() = call()
    protected open fun onPause() = call()
    protected open fun onStop() = call()
    protected open fun onDestroy() = call()
    protected open fun onNewIntent(intent: Intent) = Unit
    protected open fun onActivityResult(requestCode: Int, resultCode: Int, data: Intent?) = Unit
    open fun onRequestPermissionsResult(requestCode: Int, permissions: Array<String>, grantResults: IntArray) = Unit
    open fun onRetainNonConfigurationInstance(): Any? = null

    /** Keeps the state of the views that have an id, as Android does. */
    protected open fun onSaveInstanceState(outState: Bundle) {
        call()
        val views = Bundle()
        content?.saveHierarchyState(views)
        outState.putBundle(VIEWS, views)
    }

    protected open fun onRestoreInstanceState(savedInstanceState: Bundle) {
        savedInstanceState.getBundle(VIEWS)?.let { content?.restoreHierarchyState(it) }
    }

    /** Runs one of the above, which has to call its parent's, as Android demands. */
    internal fun moment(name: String, work: () -> Unit) {
        called = false
        work()
        check(called) { "${javaClass.simpleName}.$name did not call super.$name" }
    }

    private fun call() {
        called = true
    }

    internal fun create(saved: Bundle?) = moment("onCreate") { onCreate(saved) }
    internal fun start() = moment("onStart") { onStart() }
    internal fun resume() = moment("onResume") { onResume() }
    internal fun pause() = moment("onPause") { onPause() }
    internal fun stop() = moment("onStop") { onStop() }
    internal fun destroy() = moment("onDestroy") { onDestroy() }
    internal fun save(): Bundle = Bundle().also { moment("onSaveInstanceState") { onSaveInstanceState(it) } }
    internal fun restore(saved: Bundle) = onRestoreInstanceState(saved)
    internal fun newIntent(intent: Intent) = onNewIntent(intent)
    internal fun result(request: Int, code: Int, data: Intent?) = onActivityResult(request, code, data)

    fun setContentView(layout: Int) {
        content = layoutInflater.inflate(layout, null as ViewGroup?, false)
    }

    fun findViewById(id: Int): View? = content?.findViewById(id)

    fun startActivity(intent: Intent) = Phone.screens.start(intent)

    fun startActivityForResult(intent: Intent, requestCode: Int) = Phone.screens.ask(place, intent, requestCode)

    fun requestPermissions(permissions: Array<String>, requestCode: Int) =
        Phone.screens.askPermission(place, permissions.single(), requestCode)

    fun runOnUiThread(action: Runnable) = Phone.onMain(action)

    fun finish() = Phone.screens.finish(place)

    fun setRecentsScreenshotEnabled(enabled: Boolean) {
        isHiddenFromRecents = !enabled
    }

    companion object {
        const val RESULT_OK = -1
        const val RESULT_CANCELED = 0
        private const val VIEWS = "android:viewHierarchyState"
    }
}
