package dermport.demo

import android.view.View

/** Keeps a screen's content clear of the system's bars, which lie over it since Android 15. */
object SystemBars {
    fun keepClear(screen: View) {
        val left = screen.paddingLeft
        val top = screen.paddingTop
        val right = screen.paddingRight
        val bottom = screen.paddingBottom
        screen.setOnApplyWindowInsetsListener { view, insets ->
            @Suppress("DEPRECATION") // what replaces them needs Android 11
            view.setPadding(
                left + insets.systemWindowInsetLeft,
                top + insets.systemWindowInsetTop,
                right + insets.systemWindowInsetRight,
                bottom + insets.systemWindowInsetBottom,
            )
            insets
        }
    }
}
