package android.hardware.display

import android.os.Handler

class DisplayManager internal constructor() {
    internal val listeners = LinkedHashSet<DisplayListener>()

    @Suppress("UNUSED_PARAMETER")
    fun registerDisplayListener(listener: DisplayListener, on: Handler?) {
        listeners.add(listener)
    }

    fun unregisterDisplayListener(listener: DisplayListener) {
        listeners.remove(listener)
    }

    @Suppress("unused")
    interface DisplayListener {
        fun onDisplayAdded(displayId: Int)
        fun onDisplayRemoved(displayId: Int)
        fun onDisplayChanged(displayId: Int)
    }
}
